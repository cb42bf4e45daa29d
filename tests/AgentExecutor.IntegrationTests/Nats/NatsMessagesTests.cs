using System.Collections.Immutable;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Nats;

/// <summary>How the bus delivers and reads messages when the server does not behave as usual.</summary>
public sealed class NatsMessagesTests : NatsBusTest
{
    private readonly ImmutableArray<BusMessage> _job = [new("agent.execute.demo", "{}"u8.ToArray())];

    [Fact]
    public async Task A_deleted_consumer_is_created_again_and_fetching_continues()
    {
        await using var bus = OpenBus();
        await bus.PublishAsync(_job, Cancellation);
        await (await FetchAsync(bus))[0].AckAsync(Cancellation);
        var waiting = FetchAsync(bus); // waits for a job while the consumer is deleted

        await JetStream.DeleteConsumerAsync(Jobs, Workers, Cancellation);
        await bus.PublishAsync([_job[0] with { Body = "new"u8.ToArray() }], Cancellation);

        // A new consumer starts at the first message, so the first job is delivered again, which the worker recognises by its id.
        var bodies = new List<string>();
        for (var deliveries = await waiting; ; deliveries = await FetchAsync(bus))
        {
            foreach (var delivery in deliveries)
            {
                bodies.Add(System.Text.Encoding.UTF8.GetString(delivery.Message.Body.Span));
                await delivery.AckAsync(Cancellation);
            }
            if (bodies.Contains("new"))
            {
                break;
            }
        }
        Assert.Equal(["{}", "new"], bodies);
        Assert.Equal(2, Lines(1133).Count);
        await Wait.UntilAsync(async () =>
            (await JetStream.FindConsumerAsync(Jobs, Workers, Cancellation)) is { NumPending: 0, NumAckPending: 0 }
        );
    }

    [Fact]
    public async Task A_server_without_JetStream_is_reported_once()
    {
        await using var plain = await NatsServer.StartOwnAsync(hasJetStream: false);
        await using var bus = OpenBus(plain.Settings());

        for (var i = 0; i < 2; i++)
        {
            var fault = await Assert.ThrowsAsync<FaultException>(async () => await bus.PublishAsync(_job, Cancellation));
            Assert.Equal((FaultCodes.BusUnavailable, true), (fault.Code, fault.IsTransient));
            Assert.Contains("JetStream does not respond", fault.Message, StringComparison.Ordinal);
            Assert.Contains("-js", fault.Message, StringComparison.Ordinal);
            Assert.False(bus.IsConnected); // There is a connection, but it is of no use.
        }
        Assert.Contains("JetStream does not respond", Assert.Single(Lines(1135)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reading_ends_when_messages_are_deleted_meanwhile()
    {
        await using var bus = OpenBus();
        await bus.PublishAsync(
            [.. Enumerable.Range(0, 3_000).Select(i => new BusMessage("agent.status.failed", new byte[100]) { Id = $"{i}" })],
            Cancellation
        );

        var reading = Enumerable
            .Range(0, 20)
            .Select(_ => bus.ReadAsync(new BusQuery(BusStream.Results, 3_000), Cancellation).AsTask())
            .ToList();
        await JetStream.PurgeStreamAsync("AGENT_RESULTS", Cancellation);

        foreach (var read in await Task.WhenAll(reading).WaitAsync(Limit, Cancellation))
        {
            Assert.Equal(Enumerable.Range(0, read.Length).Select(i => $"{i}"), read.Select(message => message.Id));
        }
    }

    /// <summary>NATS delivers messages that the client would not send. They can become dead letters like any other.</summary>
    [Theory]
    [InlineData("agent.execute.a>b", "agent.dead-letter.unnamed")]
    [InlineData("agent.execute.a", "agent.dead-letter.a")]
    public async Task A_message_with_unusual_headers_and_subject_can_become_a_dead_letter(string subject, string expected)
    {
        await using var bus = OpenBus();
        await bus.PublishAsync(_job, Cancellation);
        await (await FetchAsync(bus))[0].AckAsync(Cancellation);
        await RawNats.PublishAsync(Server, subject, "NATS/1.0\r\nbad name: x\r\nkept: y\r\nodd: a\rb\r\n\r\n", "{}");
        var delivery = Assert.Single(await FetchAsync(bus));

        await new Core.Jobs.DeadLetters(bus, TimeProvider.System).PutAsync(delivery, "invalid_event", "no job", Cancellation);

        var letter = Assert.Single(await bus.ReadAsync(new BusQuery(BusStream.DeadLetters, 10), Cancellation));
        Assert.Equal(
            (expected, subject, "y", null),
            (letter.Subject, letter.Header("Dead-Letter-Subject"), letter.Header("kept"), letter.Header("bad name"))
        );
    }

    private static async Task<ImmutableArray<IDelivery>> FetchAsync(IEventBus bus)
    {
        while (true)
        {
            try
            {
                if (await bus.FetchAsync(10, TimeSpan.FromSeconds(10), Cancellation) is { Length: > 0 } deliveries)
                {
                    return deliveries;
                }
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.BusUnavailable)
            {
                // The intake retries too.
            }
        }
    }
}
