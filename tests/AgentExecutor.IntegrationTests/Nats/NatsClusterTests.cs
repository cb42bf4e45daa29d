using AgentExecutor.Adapters.Nats.Protocol;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Nats;

public sealed class NatsClusterTests : NatsTest
{
    private const int Messages = 3000;

    public NatsClusterTests() => NatsFixture.SkipWithout();

    [Fact]
    public async Task Moves_from_a_server_that_is_about_to_stop_without_missing_a_message()
    {
        await using var cluster = new Cluster(await NatsServer.StartClusterAsync());
        var log = new LogLines();
        await using var connection = new NatsConnection(cluster.Servers[0].Settings(), TimeProvider.System, log);
        var disconnects = 0;
        connection.Disconnected += _ => disconnects++;
        await Eventually(async () => { await connection.ConnectAsync(Cancellation); return connection.Info!.ConnectUrls?.Count == 3; });
        using var subscription = connection.Subscribe("a", null, 10_000);
        await connection.FlushAsync(Cancellation);
        await using var other = Open(cluster.Servers[1]);
        await other.FlushAsync(Cancellation);
        using var publishing = new CancellationTokenSource();
        var publisher = PublishUntilAsync(other, publishing.Token);

        await cluster.Servers[0].BecomeLameDuckAsync();
        await Eventually(() => Task.FromResult(connection.Info?.Name is "n1" or "n2")); // the old connection is let go of a moment later: its server must live on
        await publishing.CancelAsync();
        var published = await publisher.WaitAsync(Limit);
        await other.FlushAsync(Cancellation);
        await connection.FlushAsync(Cancellation);

        var received = new HashSet<int>();
        await Eventually(() =>
        {
            while (subscription.TryRead(out var message))
            {
                received.Add(BitConverter.ToInt32(message!.Payload.Span));
            }
            return Task.FromResult(received.Count == published);
        });
        Assert.Equal(0, disconnects);
        Assert.Equal(1, log.Lines.Count(line => line.StartsWith("1113", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_move_hands_on_no_delivery_twice()
    {
        await using var cluster = new Cluster(await NatsServer.StartClusterAsync());
        await using var other = Open(cluster.Servers[1]);
        var stream = new JetStream(other);
        await Retried(() => stream.CreateStreamAsync(new StreamConfig { Name = "s", Subjects = ["s.>"], Replicas = 3 }, Cancellation));
        await Retried(() => stream.CreateConsumerAsync("s", new ConsumerConfig { DurableName = "c", AckWait = TimeSpan.FromSeconds(2) }, Cancellation));
        await using var connection = Open(cluster.Servers[0]);
        await Eventually(async () => { await connection.ConnectAsync(Cancellation); return connection.Info!.ConnectUrls?.Count == 3; });
        using var puller = new JetStream(connection).Pull("s", "c");
        await puller.RequestAsync(Messages, TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(1), noWait: false, null, Cancellation);
        var load = new PublishLoad(stream, "s.a", TimeSpan.FromSeconds(40));
        var publishing = load.RunAsync(Messages, Cancellation);
        await Eventually(() => Task.FromResult(load.Acknowledged >= 300));

        await cluster.Servers[0].BecomeLameDuckAsync();
        await Eventually(() => Task.FromResult(connection.Info?.Name is "n1" or "n2"));
        await publishing.WaitAsync(2 * Limit);
        var (deliveries, sequences) = (new List<string>(), new HashSet<ulong>());
        while (sequences.Count < Messages)
        {
            try
            {
                foreach (var message in await puller.ReadBatchAsync(Messages, Cancellation).WaitAsync(Limit))
                {
                    deliveries.Add(message.ReplyTo);
                    sequences.Add(message.Metadata.StreamSequence);
                    await message.AckAsync(Cancellation);
                }
            }
            catch (NatsException fault) when (fault.IsTransient)
            {
                // Its leader went with the server, and said nothing for a while: asked for again below.
            }
            if (puller.Outstanding == 0)
            {
                await puller.RequestAsync(Messages, TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(1), noWait: false, null, Cancellation);
            }
        }

        Assert.Equal(deliveries.Distinct().Count(), deliveries.Count);
    }

    [Fact]
    public async Task Losing_the_leader_of_a_stream_loses_nothing_that_was_acknowledged()
    {
        await using var cluster = new Cluster(await NatsServer.StartClusterAsync());
        await using var connection = Open(cluster.Servers[0].Settings(string.Join(',', cluster.Servers.Select(server => server.Url))));
        var stream = new JetStream(connection);
        await Retried(() => stream.CreateStreamAsync(new StreamConfig { Name = "s", Subjects = ["s.>"], Replicas = 3 }, Cancellation));
        await Retried(() => stream.CreateConsumerAsync("s", new ConsumerConfig { DurableName = "c", AckWait = TimeSpan.FromSeconds(2) }, Cancellation));
        using var puller = stream.Pull("s", "c");
        var load = new PublishLoad(stream, "s.a", TimeSpan.FromSeconds(40));
        var publishing = load.RunAsync(Messages, Cancellation);
        var reading = load.ReadAsync(puller, Cancellation);

        await Eventually(() => Task.FromResult(load.Acknowledged >= 300));
        var leader = (await Retried(() => stream.FindStreamAsync("s", Cancellation)))!.Cluster!.Leader!;
        Assert.False(publishing.IsCompleted);
        await cluster.Servers[leader[1] - '0'].KillAsync();

        await publishing.WaitAsync(2 * Limit);
        await reading.WaitAsync(2 * Limit);
        var after = (await Retried(() => stream.FindStreamAsync("s", Cancellation)))!;
        Assert.Equal(Messages, after.State.Messages);
        Assert.NotEqual(leader, after.Cluster!.Leader);
    }

    private static async Task<int> PublishUntilAsync(NatsConnection connection, CancellationToken end)
    {
        var count = 0;
        for (; !end.IsCancellationRequested; count++)
        {
            await connection.PublishAsync("a", BitConverter.GetBytes(count), null, null, Cancellation);
            await Task.Delay(1, Cancellation);
        }
        return count;
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
