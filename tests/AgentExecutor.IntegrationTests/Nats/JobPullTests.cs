using System.Text;
using AgentExecutor.Adapters.Nats;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using NATS.Client.JetStream.Models;

namespace AgentExecutor.IntegrationTests.Nats;

public sealed class JobPullTests : NatsTest, IAsyncLifetime
{
    private const string Jobs = "AGENT_EXECUTION";
    private const string Workers = "agent-executor-workers";

    private NatsServer _server = null!;
    private JetStreamAdmin _admin = null!;

    public async ValueTask InitializeAsync()
    {
        NatsFixture.SkipWithout();
        _server = await NatsServer.StartOwnAsync();
        _admin = new JetStreamAdmin(_server);
    }

    public async ValueTask DisposeAsync()
    {
        await _admin.DisposeAsync();
        await _server.DisposeAsync();
    }

    /// <summary>The ack wait of half a minute exceeds the limit of the test, so a message that is left behind would be missing.</summary>
    [Fact]
    public async Task Messages_that_arrive_while_a_fetch_is_cancelled_are_delivered_to_others_at_once()
    {
        await using var publisher = OpenBus(_server);
        await publisher.PublishAsync([Job("first")], Cancellation);
        await using var stopping = OpenBus(_server);
        await Assert.Single(await stopping.FetchAsync(1, Limit, Cancellation)).AckAsync(Cancellation);
        using var stop = new CancellationTokenSource();
        var fetched = 0;
        var fetching = Task.Run(
            async () =>
            {
                while (true)
                {
                    var jobs = await stopping.FetchAsync(50, Limit, stop.Token);
                    await stopping.AckAsync(jobs, Cancellation);
                    fetched += jobs.Length;
                }
            },
            Cancellation
        );

        var publishing = publisher.PublishAsync([.. Enumerable.Range(0, 500).Select(i => Job($"{i}"))], Cancellation);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fetching);
        await publishing;

        var left = 500 - fetched;
        while (left > 0)
        {
            var jobs = await publisher.FetchAsync(100, Limit / 2, Cancellation);
            Assert.NotEmpty(jobs);
            await publisher.AckAsync(jobs, Cancellation);
            left -= jobs.Length;
        }
    }

    [Fact]
    public async Task No_more_messages_are_delivered_than_were_asked_for()
    {
        await using var bus = OpenBus(_server);
        await bus.PublishAsync([Job("0")], Cancellation);
        Assert.Single(await bus.FetchAsync(3, Limit, Cancellation)); // Two of the three messages are still requested.

        await bus.PublishAsync([.. Enumerable.Range(1, 20).Select(i => Job($"{i}"))], Cancellation);
        await Wait.UntilAsync(async () => (await ConsumerAsync()).NumAckPending == 3);

        Assert.Equal(3, (await ConsumerAsync()).NumAckPending);
        Assert.Equal(
            ["1", "2"],
            (await bus.FetchAsync(10, Limit, Cancellation)).Select(job => Encoding.UTF8.GetString(job.Message.Body.Span))
        );
    }

    [Fact]
    public async Task A_refused_pull_request_returns_nothing_and_not_at_once()
    {
        await using var first = OpenBus(_server);
        await first.ReadAsync(new BusQuery(BusStream.Jobs, 1), Cancellation);
        await _admin.DeleteConsumerAsync(Jobs, Workers, Cancellation);
        await _admin.CreateConsumerAsync(
            Jobs,
            new ConsumerConfig
            {
                DurableName = Workers,
                MaxWaiting = 1,
                AckWait = TimeSpan.FromSeconds(30),
                MaxAckPending = 100_000,
            },
            Cancellation
        );
        using var stop = new CancellationTokenSource();
        var waiting = first.FetchAsync(1, Limit, stop.Token).AsTask();
        await Wait.UntilAsync(async () => (await ConsumerAsync()).NumWaiting == 1);
        await using var second = OpenBus(_server);

        Assert.Empty(await second.FetchAsync(1, TimeSpan.FromSeconds(1.2), Cancellation));

        Assert.False(waiting.IsCompleted);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task Heartbeats_keep_a_pull_request_alive_and_their_absence_ends_it()
    {
        await using var bus = OpenBus(_server);
        await bus.ReadAsync(new BusQuery(BusStream.Jobs, 1), Cancellation);
        await using var link = Open(_server.Settings() with { PingSeconds = 60 });
        await ConnectAsync(link);
        await using var pull = new JobPull(link, Jobs, Workers, TimeProvider.System);
        var reading = pull.ReadAsync(1, TimeSpan.FromSeconds(6), Cancellation); // A heartbeat every two seconds; two may be missing.
        Assert.NotSame(reading, await Task.WhenAny(reading, Task.Delay(TimeSpan.FromSeconds(4.5), Cancellation)));

        await _server.FreezeAsync();
        var fault = Assert.IsType<NatsBusException>(await FaultOf(() => reading));
        Assert.Equal(NatsBusFault.ConsumerMissing, fault.Fault);
        Assert.True(NatsFaults.ToFault(fault).IsTransient);
        await _server.ThawAsync();
        await Wait.UntilAsync(() => link.IsOpen);
    }

    [Fact]
    public async Task A_frozen_server_is_reported_to_the_caller_that_waits_for_a_job()
    {
        await using var bus = OpenBus(_server.Settings() with { PingSeconds = 60 });
        await bus.ReadAsync(new BusQuery(BusStream.Jobs, 1), Cancellation);
        var fetching = bus.FetchAsync(1, TimeSpan.FromSeconds(6), Cancellation).AsTask();
        await Wait.UntilAsync(async () => (await ConsumerAsync()).NumWaiting == 1);

        await _server.FreezeAsync();
        var fault = await Assert.ThrowsAsync<FaultException>(() => fetching.WaitAsync(Limit));
        Assert.Equal((FaultCodes.BusUnavailable, true), (fault.Code, fault.IsTransient));

        await _server.ThawAsync();
        await Retried(async () =>
        {
            await bus.PublishAsync([Job("again")], Cancellation);
            return true;
        });
        Assert.Single(await Retried(async () => await bus.FetchAsync(1, Limit, Cancellation)));
    }

    [Fact]
    public async Task A_deleted_consumer_is_reported_and_can_be_created_again()
    {
        await using var bus = OpenBus(_server);
        await bus.ReadAsync(new BusQuery(BusStream.Jobs, 1), Cancellation);
        await using var link = Open(_server.Settings());
        await ConnectAsync(link);
        await using var pull = new JobPull(link, Jobs, Workers, TimeProvider.System);
        var reading = pull.ReadAsync(3, TimeSpan.FromMinutes(1), Cancellation);
        await Wait.UntilAsync(async () => (await ConsumerAsync()).NumWaiting == 1);

        await _admin.DeleteConsumerAsync(Jobs, Workers, Cancellation);
        Assert.Equal(NatsBusFault.ConsumerMissing, Assert.IsType<NatsBusException>(await FaultOf(() => reading)).Fault);
        Assert.Equal(
            NatsBusFault.ConsumerMissing,
            Assert.IsType<NatsBusException>(await FaultOf(() => pull.ReadAsync(3, TimeSpan.FromSeconds(3), Cancellation))).Fault
        );

        await _admin.CreateConsumerAsync(
            Jobs,
            new ConsumerConfig { DurableName = Workers, AckPolicy = ConsumerConfigAckPolicy.Explicit },
            Cancellation
        );
        await bus.PublishAsync([Job("again")], Cancellation);
        Assert.Single(await pull.ReadAsync(3, TimeSpan.FromMinutes(1), Cancellation).WaitAsync(Limit));
    }

    /// <summary>One fetch, as a worker calls it: the bus creates the consumer again, and a later fetch receives the job.</summary>
    [Fact]
    public async Task A_consumer_that_is_deleted_during_a_fetch_is_created_again()
    {
        await using var bus = OpenBus(_server);
        await bus.ReadAsync(new BusQuery(BusStream.Jobs, 1), Cancellation);
        var fetching = bus.FetchAsync(3, TimeSpan.FromMinutes(1), Cancellation).AsTask();
        await Wait.UntilAsync(async () => (await ConsumerAsync()).NumWaiting == 1);

        await _admin.DeleteConsumerAsync(Jobs, Workers, Cancellation);
        var fault = await Assert.ThrowsAsync<FaultException>(() => fetching.WaitAsync(Limit));
        Assert.Equal((FaultCodes.BusUnavailable, true), (fault.Code, fault.IsTransient));

        await bus.PublishAsync([Job("again")], Cancellation);
        Assert.Single(await bus.FetchAsync(3, Limit, Cancellation));
    }

    [Fact]
    public async Task Closing_sends_the_acknowledgements_and_returns_what_was_not_read()
    {
        var bus = OpenBus(_server);
        await bus.PublishAsync([.. Enumerable.Range(0, 500).Select(i => Job($"{i}"))], Cancellation);
        var jobs = await bus.FetchAsync(300, Limit, Cancellation);
        await bus.AckAsync(jobs, Cancellation);
        await bus.DisposeAsync();

        var consumer = await ConsumerAsync();
        await using var other = OpenBus(_server);
        var left = new HashSet<string>();
        while (left.Count < 500 - jobs.Length)
        {
            var rest = await other.FetchAsync(500, Limit / 2, Cancellation);
            Assert.NotEmpty(rest);
            await other.AckAsync(rest, Cancellation);
            left.UnionWith(rest.Select(job => Encoding.UTF8.GetString(job.Message.Body.Span)));
        }
        Assert.Equal((ulong)jobs.Length, consumer.AckFloor.StreamSeq);
        Assert.DoesNotContain(jobs, job => left.Contains(Encoding.UTF8.GetString(job.Message.Body.Span)));
    }

    private async Task<ConsumerInfo> ConsumerAsync() => (await _admin.FindConsumerAsync(Jobs, Workers, Cancellation))!;

    private static BusMessage Job(string body) => new("agent.execute.x", Encoding.UTF8.GetBytes(body));
}
