using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Nats;

[Collection<QuietMachine>]
public sealed class NatsClusterTests : NatsTest
{
    private const int Messages = 3000;

    /// <summary>The number of messages that a reader asks for at once, as a worker with so many free slots does.</summary>
    private const int Slots = 64;

    public NatsClusterTests() => NatsFixture.SkipWithout();

    [Fact]
    public async Task The_client_moves_away_from_a_server_that_is_about_to_stop()
    {
        await using var cluster = new Cluster(await NatsServer.StartClusterAsync());
        var log = new LogLines();
        await using var link = Open(cluster.Servers[0].Settings(), log);
        await ConnectAsync(link);
        await Wait.UntilAsync(() => link.Connection.ServerInfo?.ClientConnectUrls?.Length == 3);

        await cluster.Servers[0].BecomeLameDuckAsync();

        await Wait.UntilAsync(() => link.Connection.ServerInfo?.Name is "n1" or "n2" && link.IsOpen);
        await ConnectAsync(link);
        await Wait.UntilAsync(() => log.Lines.Count == 3);
        Assert.Equal(["1112", "1113", "1112"], log.Lines.Select(line => line[..4])); // No outage is logged.
    }

    /// <summary>
    /// The ack wait exceeds the limit of the test, so a message that the old connection lost would be redelivered too late.
    /// </summary>
    [Fact]
    public async Task No_message_is_lost_when_the_client_moves()
    {
        await using var cluster = new Cluster(await NatsServer.StartClusterAsync());
        var bus = new BusSettings { AckWaitSeconds = 300 };
        await using var publisher = OpenBus(
            cluster.Servers[0].Settings(string.Join(',', cluster.Servers.Select(it => it.Url))) with
            {
                Replicas = 3,
            },
            bus
        );
        await Retried(async () => await publisher.ReadAsync(new BusQuery(BusStream.Jobs, 1), Cancellation));
        var log = new LogLines();
        var server = await ServerWithoutLeaderAsync(cluster.Servers[0]);
        await using var reader = await OpenAsync(cluster, server, bus, log);
        using var moved = new CancellationTokenSource();
        var publishing = PublishUntilAsync(publisher, moved.Token);
        var deliveries = new List<(long Sequence, int Attempt)>();
        var reading = ReadAllAsync(reader, deliveries, publishing);
        await Wait.UntilAsync(() => deliveries.Count >= 300);

        await cluster.Servers[server].BecomeLameDuckAsync();
        await Wait.UntilAsync(() => log.Lines.Count(line => line.StartsWith("1112", StringComparison.Ordinal)) == 2);
        await moved.CancelAsync();
        var published = await publishing.WaitAsync(3 * Limit);
        await reading.WaitAsync(3 * Limit);

        Assert.Equal(published, deliveries.Select(it => it.Sequence).Distinct().Count());
        var ofConnection = log.Lines.Where(line => line.StartsWith("111", StringComparison.Ordinal));
        Assert.Equal(["1112", "1113", "1112"], ofConnection.Select(line => line[..4])); // No outage is logged.
    }

    [Fact]
    public async Task No_delivery_is_handled_twice_when_the_client_moves()
    {
        await using var cluster = new Cluster(await NatsServer.StartClusterAsync());
        await using var publisher = await OpenAsync(cluster, 1);
        var server = await ServerWithoutLeaderAsync(cluster.Servers[1]);
        await using var reader = await OpenAsync(cluster, server);
        var load = new PublishLoad(publisher, TimeSpan.FromSeconds(40));
        var publishing = load.RunAsync(Messages, Cancellation);
        var deliveries = new List<(long Sequence, int Attempt)>();
        var reading = ReadAllAsync(reader, deliveries, Task.FromResult(Messages));
        await Wait.UntilAsync(() => load.Acknowledged >= 300);

        await cluster.Servers[server].BecomeLameDuckAsync();
        await publishing.WaitAsync(3 * Limit);
        await reading.WaitAsync(3 * Limit);

        Assert.Equal(deliveries.Distinct().Count(), deliveries.Count);
    }

    [Fact]
    public async Task Losing_the_leader_of_a_stream_loses_nothing_that_was_acknowledged()
    {
        await using var cluster = new Cluster(await NatsServer.StartClusterAsync());
        await using var bus = OpenBus(
            cluster.Servers[0].Settings(string.Join(',', cluster.Servers.Select(server => server.Url))) with
            {
                Replicas = 3,
            },
            new BusSettings { AckWaitSeconds = 2 }
        );
        await Retried(async () => await bus.ReadAsync(new BusQuery(BusStream.Jobs, 1), Cancellation));
        var load = new PublishLoad(bus, TimeSpan.FromSeconds(40));
        var publishing = load.RunAsync(Messages, Cancellation);
        var reading = load.ReadAsync(Cancellation);

        await Wait.UntilAsync(() => load.Acknowledged >= 300);
        var leader = await LeaderAsync(cluster.Servers[0]);
        Assert.False(publishing.IsCompleted);
        await cluster.Servers[leader[1] - '0'].KillAsync();

        await publishing.WaitAsync(3 * Limit);
        await reading.WaitAsync(3 * Limit);
        await using var admin = new JetStreamAdmin(cluster.Servers[leader == "n0" ? 1 : 0]);
        var after = (await Retried(() => admin.FindStreamAsync("AGENT_EXECUTION", Cancellation)))!;
        Assert.Equal(Messages, after.State.Messages);
        Assert.NotEqual(leader, after.Cluster!.Leader);
    }

    private static async Task<string> LeaderAsync(NatsServer server)
    {
        await using var admin = new JetStreamAdmin(server);
        return (await Retried(() => admin.FindStreamAsync("AGENT_EXECUTION", Cancellation)))!.Cluster!.Leader!;
    }

    /// <summary>Finds a server that leads no consumer, so that JetStream has no reason to redeliver messages when it stops.</summary>
    private static async Task<int> ServerWithoutLeaderAsync(NatsServer server)
    {
        await using var admin = new JetStreamAdmin(server);
        var consumer = (await Retried(() => admin.FindConsumerAsync("AGENT_EXECUTION", "agent-executor-workers", Cancellation)))!;
        string[] leaders = [await LeaderAsync(server), consumer.Cluster!.Leader!];
        return Enumerable.Range(0, 3).First(index => !leaders.Contains($"n{index}"));
    }

    /// <summary>Opens a bus with one server of the cluster, whose streams have three replicas.</summary>
    private static async Task<IEventBus> OpenAsync(Cluster cluster, int server, BusSettings? settings = null, LogLines? log = null)
    {
        var bus = OpenBus(
            cluster.Servers[server].Settings() with
            {
                Replicas = 3,
            },
            settings ?? new BusSettings { AckWaitSeconds = 2 },
            log
        );
        await Retried(async () => await bus.ReadAsync(new BusQuery(BusStream.Jobs, 1), Cancellation));
        return bus;
    }

    /// <returns>The number of messages.</returns>
    private static async Task<int> PublishUntilAsync(IEventBus bus, CancellationToken end)
    {
        var count = 0;
        for (; !end.IsCancellationRequested; count++)
        {
            BusMessage message = new("agent.execute.load", default) { Id = $"{count}" };
            await Retried(async () =>
            {
                await bus.PublishAsync([message], Cancellation);
                return true;
            });
        }
        return count;
    }

    private static async Task ReadAllAsync(IEventBus bus, List<(long Sequence, int Attempt)> deliveries, Task<int> published)
    {
        var sequences = new HashSet<long>();
        while (!published.IsCompleted || sequences.Count < await published)
        {
            try
            {
                var jobs = await bus.FetchAsync(Slots, TimeSpan.FromSeconds(5), Cancellation);
                deliveries.AddRange(jobs.Select(job => (job.Message.Sequence, job.Attempt)));
                sequences.UnionWith(jobs.Select(job => job.Message.Sequence));
                await bus.AckAsync(jobs, Cancellation);
            }
            catch (FaultException fault) when (fault.IsTransient)
            {
                await Task.Delay(20, Cancellation); // The server that stopped may have led the consumer.
            }
        }
    }

    private sealed class Cluster(NatsServer[] servers) : IAsyncDisposable
    {
        public NatsServer[] Servers => servers;

        public async ValueTask DisposeAsync()
        {
            foreach (var server in servers)
            {
                await server.DisposeAsync();
            }
        }
    }
}
