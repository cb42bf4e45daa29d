using System.Collections.Immutable;
using AgentExecutor.Adapters;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Queues;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Jobs;

/// <summary>Many held messages with a short ack wait and a slow store.</summary>
public sealed class WaitingMessagesTests
{
    private const int Messages = 1_000;

    [Fact]
    public async Task A_thousand_waiting_messages_are_renewed_in_time_while_the_store_is_slow()
    {
        NatsFixture.SkipWithout();
        await using var server = await NatsServer.StartOwnAsync();
        await using var bus = AdapterCatalog.OpenNatsBus(
            server.Settings(),
            new BusSettings { AckWaitSeconds = 2 },
            isClient: false,
            TimeProvider.System,
            NullLoggerFactory.Instance
        );
        var heldMessages = new HeldMessages(new SlowOutbox(), bus, TimeProvider.System);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var running = Task.WhenAll(heldMessages.RunAsync(stopping.Token), heldMessages.RenewAsync(stopping.Token));
        for (var i = 0; i < Messages; i += 250)
        {
            await bus.PublishAsync(
                [.. Enumerable.Range(i, 250).Select(job => new BusMessage("agent.execute.test", "{}"u8.ToArray()) { Id = $"{job}" })],
                Cancel
            );
        }
        var held = 0;
        while (held < Messages)
        {
            var deliveries = await bus.FetchAsync(Messages - held, TimeSpan.FromSeconds(5), Cancel);
            foreach (var delivery in deliveries)
            {
                Assert.Equal(1, delivery.Attempt);
                heldMessages.Hold(Key(held++), delivery, HeldMessages.AnyOutcome);
            }
        }

        Assert.Empty(await bus.FetchAsync(Messages, bus.AckWait * 3, Cancel));

        Assert.Equal(Messages, await ConsumerState.LeftAsync(server));
        await heldMessages.AcknowledgeAsync(
            Enumerable.Range(0, Messages).Select(job => new Outcome(Key(job), 1, default, default, "", default, default, true)),
            Cancel
        );
        await Wait.UntilAsync(async () => await ConsumerState.LeftAsync(server) == 0);
        await stopping.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    private static RunKey Key(int job) => new($"j{job}", $"j{job}");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>A store that takes longer to answer than the ack wait.</summary>
    private sealed class SlowOutbox : IOutbox
    {
        public ValueTask<int> RelayAsync(
            int atMost,
            Func<ImmutableArray<Outcome>, CancellationToken, Task> publish,
            CancellationToken cancellationToken
        ) => ValueTask.FromResult(0);

        public ValueTask<int> RelayNoticesAsync(
            int atMost,
            Func<ImmutableArray<Notice>, CancellationToken, Task> publish,
            CancellationToken cancellationToken
        ) => ValueTask.FromResult(0);

        public ValueTask<ImmutableArray<Outcome>> FindAsync(ImmutableArray<RunKey> runs, CancellationToken cancellationToken) =>
            ValueTask.FromResult(ImmutableArray<Outcome>.Empty);

        public async ValueTask<ImmutableArray<RunOutcomeStatus>> FindStatusesAsync(
            ImmutableArray<RunKey> runs,
            CancellationToken cancellationToken
        )
        {
            await Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System, cancellationToken);
            return [.. runs.Select(run => new RunOutcomeStatus(run, Core.Runs.RunStatus.Running, 0, false))];
        }

        public ValueTask<int> DropAsync(TimeSpan olderThan, int atMost, CancellationToken cancellationToken) => ValueTask.FromResult(0);
    }
}
