using System.Collections.Immutable;
using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Nats;
using AgentExecutor.Adapters.Nats.Protocol;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.IntegrationTests.Nats;

/// <summary>What the bus makes of a server's streams: a server of each test's own, for their names are fixed.</summary>
public sealed class NatsStreamsTests : NatsTest, IAsyncLifetime
{
    private const string Jobs = "AGENT_EXECUTION";
    private const string Workers = "agent-executor-workers";

    private readonly LogLines _log = new();
    private readonly ImmutableArray<BusMessage> _job = [new("agent.execute.demo", "{}"u8.ToArray())];
    private NatsServer _server = null!;
    private NatsConnection _connection = null!;
    private JetStream _jetStream = null!;

    public async ValueTask InitializeAsync()
    {
        NatsFixture.SkipWithout();
        _server = await NatsServer.StartOwnAsync();
        _connection = Open(_server);
        _jetStream = new JetStream(_connection);
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Streams_and_consumer_are_made_as_the_contract_has_them()
    {
        await using var bus = OpenBus();

        await bus.PublishAsync(_job, Cancellation);

        foreach (var (name, subject, hours) in ((string, string, double)[])
            [(Jobs, "agent.execute.*", 24), ("AGENT_RESULTS", "agent.status.*", 24 * 7), ("AGENT_DEAD_LETTERS", "agent.dead-letter.*", 24 * 30)])
        {
            var stream = (await _jetStream.FindStreamAsync(name, Cancellation))!.Config;
            Assert.Equal(
                (subject, StreamRetention.Limits, StreamStorage.File, StreamDiscard.Old, TimeSpan.FromHours(hours), 1),
                (Assert.Single(stream.Subjects!), stream.Retention, stream.Storage, stream.Discard, stream.MaxAge, stream.Replicas));
            Assert.Equal((-1, -1, -1, -1), (stream.MaxMsgs, stream.MaxBytes, stream.MaxMsgsPerSubject, stream.MaxMsgSize));
            Assert.Equal(bus.DuplicateWindow, stream.DuplicateWindow);
        }
        var consumer = (await _jetStream.FindConsumerAsync(Jobs, Workers, Cancellation))!.Config;
        Assert.Equal((Workers, AckPolicy.Explicit, DeliverPolicy.All, -1), (consumer.DurableName, consumer.AckPolicy, consumer.DeliverPolicy, consumer.MaxDeliver));
        Assert.Null(consumer.FilterSubject);
        Assert.False(consumer.Other?.ContainsKey("deliver_subject") ?? false); // it is pulled from
        Assert.Equal(4, _log.Lines.Count(line => line.StartsWith("1130", StringComparison.Ordinal) || line.StartsWith("1133", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_differs_is_brought_up_to_date_and_the_rest_is_its_owners()
    {
        await _jetStream.CreateStreamAsync(Stream() with { MaxAge = TimeSpan.FromHours(1), Discard = StreamDiscard.New, MaxMsgs = 77, Description = "mine" }, Cancellation);
        await _jetStream.CreateConsumerAsync(Jobs, new ConsumerConfig { DurableName = Workers, AckPolicy = AckPolicy.Explicit, AckWait = TimeSpan.FromSeconds(1), MaxDeliver = 3 }, Cancellation);
        await using var bus = OpenBus();

        await bus.PublishAsync(_job, Cancellation);

        var stream = (await _jetStream.FindStreamAsync(Jobs, Cancellation))!.Config;
        Assert.Equal((TimeSpan.FromHours(24), StreamDiscard.Old, 77, "mine"), (stream.MaxAge, stream.Discard, stream.MaxMsgs, stream.Description));
        var consumer = (await _jetStream.FindConsumerAsync(Jobs, Workers, Cancellation))!.Config;
        Assert.Equal((TimeSpan.FromSeconds(30), -1), (consumer.AckWait, consumer.MaxDeliver));
        Assert.Contains("max age is 01:00:00, not 1.00:00:00", Assert.Single(Lines(1131)), StringComparison.Ordinal);
        Assert.Empty(Lines(1132));
    }

    [Fact]
    public async Task What_differs_and_may_not_be_touched_is_said_once_however_often_it_is_met()
    {
        await using (var first = OpenBus())
        {
            await first.PublishAsync(_job, Cancellation);
        }
        await _jetStream.UpdateStreamAsync((await _jetStream.FindStreamAsync(Jobs, Cancellation))!.Config with { MaxAge = TimeSpan.FromHours(1) }, Cancellation);
        await _jetStream.CreateConsumerAsync(
            Jobs, (await _jetStream.FindConsumerAsync(Jobs, Workers, Cancellation))!.Config with { AckWait = TimeSpan.FromSeconds(7) }, Cancellation);
        _log.Lines.Clear();
        await using var bus = OpenBus(_server.Settings() with { ManageStreams = false });
        await PublishAsync(bus);

        await _server.StopAsync();
        await _server.StartAgainAsync();
        await PublishAsync(bus); // a new connection: looked at again

        Assert.Equal(TimeSpan.FromHours(1), (await Retried(() => _jetStream.FindStreamAsync(Jobs, Cancellation)))!.Config.MaxAge);
        var said = Lines(1132);
        Assert.Equal(2, said.Count);
        Assert.Contains($"{Jobs} not as it should be: max age is 01:00:00, not 1.00:00:00. NATS_MANAGE_STREAMS is off", said[0], StringComparison.Ordinal);
        Assert.Contains($"{Jobs}.{Workers} not as it should be: ack wait is 00:00:07, not 00:00:30. NATS_MANAGE_STREAMS is off", said[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_that_is_missing_and_may_not_be_made_is_named()
    {
        await using var bus = OpenBus(_server.Settings() with { ManageStreams = false });

        for (var i = 0; i < 2; i++)
        {
            var fault = await Assert.ThrowsAsync<FaultException>(async () => await bus.FetchAsync(1, TimeSpan.FromSeconds(1), Cancellation));
            Assert.Equal(FaultCodes.BusUnavailable, fault.Code);
            Assert.Contains($"the stream {Jobs} is missing, and NATS_MANAGE_STREAMS is off", fault.Message, StringComparison.Ordinal);
        }
        Assert.Contains(Jobs, Assert.Single(Lines(1135)), StringComparison.Ordinal);

        foreach (var (name, subject) in ((string, string)[])[(Jobs, "agent.execute.*"), ("AGENT_RESULTS", "agent.status.*"), ("AGENT_DEAD_LETTERS", "agent.dead-letter.*")])
        {
            await _jetStream.CreateStreamAsync(new StreamConfig { Name = name, Subjects = [subject] }, Cancellation);
        }
        var missing = await Assert.ThrowsAsync<FaultException>(async () => await bus.FetchAsync(1, TimeSpan.FromSeconds(1), Cancellation));
        Assert.Contains($"the consumer {Workers} of the stream {Jobs} is missing", missing.Message, StringComparison.Ordinal);
        await _jetStream.CreateConsumerAsync(Jobs, new ConsumerConfig { DurableName = Workers, AckPolicy = AckPolicy.Explicit }, Cancellation);
        await bus.PublishAsync(_job, Cancellation); // once they are there it works, without a restart
        Assert.Single(await bus.FetchAsync(1, TimeSpan.FromSeconds(10), Cancellation));
    }

    [Fact]
    public async Task A_client_makes_and_changes_nothing()
    {
        await using var client = OpenBus(isClient: true);

        var fault = await Assert.ThrowsAsync<FaultException>(async () => await client.PublishAsync(_job, Cancellation));

        Assert.Contains($"the stream {Jobs} is missing: start the service", fault.Message, StringComparison.Ordinal);
        Assert.Null(await _jetStream.FindStreamAsync(Jobs, Cancellation));
        await using var service = OpenBus();
        await service.PublishAsync(_job, Cancellation);
        await client.PublishAsync(_job, Cancellation);
        Assert.Equal(2, (await client.ReadAsync(new BusQuery(BusStream.Jobs, 5), Cancellation)).Length);
    }

    [Fact]
    public async Task What_nats_cannot_change_is_said_once_and_left_and_used()
    {
        await _jetStream.CreateStreamAsync(Stream() with { Storage = StreamStorage.Memory, Retention = StreamRetention.WorkQueue }, Cancellation);
        await using var bus = OpenBus();

        await PublishAsync(bus);
        await bus.ReadAsync(new BusQuery(BusStream.Results, 1), Cancellation);
        await _jetStream.DeleteConsumerAsync(Jobs, Workers, Cancellation); // looked at again
        Assert.Single(await FetchAsync(bus));

        var stream = (await _jetStream.FindStreamAsync(Jobs, Cancellation))!.Config;
        Assert.Equal((StreamStorage.Memory, StreamRetention.WorkQueue), (stream.Storage, stream.Retention));
        var said = Assert.Single(Lines(1132));
        Assert.Contains("retention is WorkQueue, not Limits", said, StringComparison.Ordinal);
        Assert.Contains("storage is Memory, not File", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_consumer_that_does_not_acknowledge_one_by_one_is_complained_about()
    {
        await _jetStream.CreateStreamAsync(Stream(), Cancellation);
        await _jetStream.CreateConsumerAsync(Jobs, new ConsumerConfig { DurableName = Workers, AckPolicy = AckPolicy.All }, Cancellation);
        await using var bus = OpenBus();

        await bus.PublishAsync(_job, Cancellation);

        Assert.Contains("acknowledgement is All, not Explicit", Assert.Single(Lines(1132)), StringComparison.Ordinal);
        Assert.Empty(Lines(1133));
    }

    [Fact]
    public async Task A_consumer_that_is_deleted_is_made_again_and_fetching_goes_on()
    {
        await using var bus = OpenBus();
        await bus.PublishAsync(_job, Cancellation);
        await (await FetchAsync(bus))[0].AckAsync(Cancellation);
        var waiting = FetchAsync(bus); // pulls while it is deleted

        await _jetStream.DeleteConsumerAsync(Jobs, Workers, Cancellation);
        await bus.PublishAsync([_job[0] with { Body = "new"u8.ToArray() }], Cancellation);

        // One that is made again begins at the beginning: what was done comes once more, and is known by its job.
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
        await Eventually(async () => (await _jetStream.FindConsumerAsync(Jobs, Workers, Cancellation)) is { Pending: 0, AckPending: 0 });
    }

    [Fact]
    public async Task A_server_without_jetstream_is_told_as_that_once()
    {
        await using var plain = await NatsServer.StartOwnAsync(hasJetStream: false);
        await using var bus = OpenBus(plain.Settings());

        for (var i = 0; i < 2; i++)
        {
            var fault = await Assert.ThrowsAsync<FaultException>(async () => await bus.PublishAsync(_job, Cancellation));
            Assert.Equal((FaultCodes.BusUnavailable, true), (fault.Code, fault.IsTransient));
            Assert.Contains("no JetStream", fault.Message, StringComparison.Ordinal);
            Assert.Contains("-js", fault.Message, StringComparison.Ordinal);
        }
        Assert.Contains("no JetStream", Assert.Single(Lines(1135)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_that_loses_messages_while_it_is_read_ends()
    {
        await using var bus = OpenBus();
        await bus.PublishAsync([.. Enumerable.Range(0, 3_000).Select(i => new BusMessage("agent.status.failed", new byte[100]) { Id = $"{i}" })], Cancellation);

        var reading = Enumerable.Range(0, 20).Select(_ => bus.ReadAsync(new BusQuery(BusStream.Results, 3_000), Cancellation).AsTask()).ToList();
        await _jetStream.PurgeStreamAsync("AGENT_RESULTS", null, Cancellation);

        foreach (var read in await Task.WhenAll(reading).WaitAsync(Limit, Cancellation))
        {
            Assert.Equal(Enumerable.Range(0, read.Length).Select(i => $"{i}"), read.Select(message => message.Id));
        }
    }

    /// <summary>What NATS passes on and we would not send: it goes to the dead letters like anything else.</summary>
    [Theory]
    [InlineData("agent.execute.a>b", "agent.dead-letter.unnamed")]
    [InlineData("agent.execute.a", "agent.dead-letter.a")]
    public async Task A_message_of_odd_headers_and_subject_can_be_put_aside(string subject, string expected)
    {
        await using var bus = OpenBus();
        await bus.PublishAsync(_job, Cancellation);
        await (await FetchAsync(bus))[0].AckAsync(Cancellation);
        await PublishRawAsync(subject, "NATS/1.0\r\nbad name: x\r\nkept: y\r\nodd: a\rb\r\n\r\n");
        var delivery = Assert.Single(await FetchAsync(bus));

        await new Core.Jobs.DeadLetters(bus, TimeProvider.System).PutAsync(delivery, "invalid_event", "no job", Cancellation);

        var letter = Assert.Single(await bus.ReadAsync(new BusQuery(BusStream.DeadLetters, 10), Cancellation));
        Assert.Equal((expected, subject, "y", null), (letter.Subject, letter.Header("Dead-Letter-Subject"), letter.Header("kept"), letter.Header("bad name")));
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
                // as the intake does: it is tried again
            }
        }
    }

    private async Task PublishAsync(IEventBus bus)
    {
        while (true)
        {
            try
            {
                await bus.PublishAsync(_job, Cancellation);
                return;
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.BusUnavailable)
            {
                await Task.Delay(20, Cancellation); // the server has just been started again
            }
        }
    }

    /// <summary>As another client may: by hand.</summary>
    private async Task PublishRawAsync(string subject, string headers)
    {
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(System.Net.IPAddress.Loopback, _server.Port, Cancellation);
        await using var wire = client.GetStream();
        using var reader = new StreamReader(wire);
        await reader.ReadLineAsync(Cancellation);
        await wire.WriteAsync(System.Text.Encoding.UTF8.GetBytes(
            $"CONNECT {{\"verbose\":false,\"headers\":true}}\r\nHPUB {subject} {headers.Length} {headers.Length + 2}\r\n{headers}{{}}\r\nPING\r\n"), Cancellation);
        Assert.Equal("PONG", await reader.ReadLineAsync(Cancellation));
    }

    private List<string> Lines(int id) => [.. _log.Lines.Where(line => line.StartsWith($"{id} ", StringComparison.Ordinal))];

    private static StreamConfig Stream() => new() { Name = Jobs, Subjects = ["agent.execute.*"], MaxAge = TimeSpan.FromHours(24) };

    private IEventBus OpenBus(NatsSettings? settings = null, bool isClient = false)
    {
#pragma warning disable CA2000 // it holds nothing
        return AdapterCatalog.OpenNatsBus(settings ?? _server.Settings(), new BusSettings(), isClient, TimeProvider.System, new Loggers(_log));
#pragma warning restore CA2000
    }

    private sealed class Loggers(LogLines log) : ILoggerFactory
    {
        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public ILogger CreateLogger(string categoryName) => log;

        public void Dispose()
        {
        }
    }
}
