using System.Collections.Immutable;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using NATS.Client.JetStream.Models;

namespace AgentExecutor.IntegrationTests.Nats;

/// <summary>How the bus creates, updates and checks the streams and the consumer of a server.</summary>
public sealed class NatsStreamsTests : NatsBusTest
{
    private readonly ImmutableArray<BusMessage> _job = [new("agent.execute.demo", "{}"u8.ToArray())];

    [Fact]
    public async Task Streams_and_consumer_are_created_as_documented()
    {
        await using var bus = OpenBus();

        await bus.PublishAsync(_job, Cancellation);

        foreach (
            var (name, subject, hours) in ((string, string, double)[])
                [
                    (Jobs, "agent.execute.*", 24),
                    ("AGENT_RESULTS", "agent.status.*", 24 * 7),
                    ("AGENT_DEAD_LETTERS", "agent.dead-letter.*", 24 * 30),
                ]
        )
        {
            var stream = (await JetStream.FindStreamAsync(name, Cancellation))!.Config;
            Assert.Equal(
                (subject, StreamConfigRetention.Limits, StreamConfigStorage.File, StreamConfigDiscard.Old, TimeSpan.FromHours(hours), 1),
                (Assert.Single(stream.Subjects!), stream.Retention, stream.Storage, stream.Discard, stream.MaxAge, stream.NumReplicas)
            );
            Assert.Equal((-1, -1, -1, -1), (stream.MaxMsgs, stream.MaxBytes, stream.MaxMsgsPerSubject, stream.MaxMsgSize));
            Assert.Equal(bus.DuplicateWindow, stream.DuplicateWindow);
        }
        var consumer = (await JetStream.FindConsumerAsync(Jobs, Workers, Cancellation))!.Config;
        Assert.Equal(
            (Workers, ConsumerConfigAckPolicy.Explicit, ConsumerConfigDeliverPolicy.All, -1),
            (consumer.DurableName, consumer.AckPolicy, consumer.DeliverPolicy, consumer.MaxDeliver)
        );
        Assert.Null(consumer.FilterSubject);
        Assert.Null(consumer.DeliverSubject); // a pull consumer
        Assert.Equal(
            4,
            Log.Lines.Count(line => line.StartsWith("1130", StringComparison.Ordinal) || line.StartsWith("1133", StringComparison.Ordinal))
        );
    }

    [Fact]
    public async Task Settings_that_differ_are_updated_and_all_others_are_kept()
    {
        await JetStream.CreateStreamAsync(
            Stream() with
            {
                MaxAge = TimeSpan.FromHours(1),
                Discard = StreamConfigDiscard.New,
                MaxMsgs = 77,
                Description = "mine",
            },
            Cancellation
        );
        await JetStream.CreateConsumerAsync(
            Jobs,
            new ConsumerConfig
            {
                DurableName = Workers,
                AckPolicy = ConsumerConfigAckPolicy.Explicit,
                AckWait = TimeSpan.FromSeconds(1),
                MaxDeliver = 3,
            },
            Cancellation
        );
        await using var bus = OpenBus();

        await bus.PublishAsync(_job, Cancellation);

        var stream = (await JetStream.FindStreamAsync(Jobs, Cancellation))!.Config;
        Assert.Equal(
            (TimeSpan.FromHours(24), StreamConfigDiscard.Old, 77, "mine"),
            (stream.MaxAge, stream.Discard, stream.MaxMsgs, stream.Description)
        );
        var consumer = (await JetStream.FindConsumerAsync(Jobs, Workers, Cancellation))!.Config;
        Assert.Equal((TimeSpan.FromSeconds(30), -1), (consumer.AckWait, consumer.MaxDeliver));
        Assert.Contains("max age is 01:00:00, not 1.00:00:00", Assert.Single(Lines(1131)), StringComparison.Ordinal);
        Assert.Empty(Lines(1132));
    }

    [Fact]
    public async Task Differences_that_may_not_be_changed_are_reported_once()
    {
        await using (var first = OpenBus())
        {
            await first.PublishAsync(_job, Cancellation);
        }
        await JetStream.UpdateStreamAsync(
            (await JetStream.FindStreamAsync(Jobs, Cancellation))!.Config with
            {
                MaxAge = TimeSpan.FromHours(1),
            },
            Cancellation
        );
        await JetStream.CreateConsumerAsync(
            Jobs,
            (await JetStream.FindConsumerAsync(Jobs, Workers, Cancellation))!.Config with
            {
                AckWait = TimeSpan.FromSeconds(7),
            },
            Cancellation
        );
        Log.Lines.Clear();
        await using var bus = OpenBus(Server.Settings() with { ManageStreams = false });
        await PublishAsync(bus);

        await Server.StopAsync();
        await Server.StartAgainAsync();
        await PublishAsync(bus); // A new connection checks the streams again.

        Assert.Equal(TimeSpan.FromHours(1), (await Retried(() => JetStream.FindStreamAsync(Jobs, Cancellation)))!.Config.MaxAge);
        var warnings = Lines(1132);
        Assert.Equal(2, warnings.Count);
        Assert.Contains(
            $"({Jobs}: max age is 01:00:00, not 1.00:00:00). NATS_MANAGE_STREAMS is off",
            warnings[0],
            StringComparison.Ordinal
        );
        Assert.Contains(
            $"({Jobs}.{Workers}: ack wait is 00:00:07, not 00:00:30). NATS_MANAGE_STREAMS is off",
            warnings[1],
            StringComparison.Ordinal
        );
        Assert.Equal(TimeSpan.FromSeconds(7), bus.AckWait); // Jobs are renewed as often as the consumer requires.
    }

    [Fact]
    public async Task A_missing_stream_that_may_not_be_created_is_named()
    {
        await using var bus = OpenBus(Server.Settings() with { ManageStreams = false });

        for (var i = 0; i < 2; i++)
        {
            var fault = await Assert.ThrowsAsync<FaultException>(async () =>
                await bus.FetchAsync(1, TimeSpan.FromSeconds(1), Cancellation)
            );
            Assert.Equal(FaultCodes.BusUnavailable, fault.Code);
            Assert.All(
                (string[])
                    [
                        $"the stream {Jobs} is missing (subjects agent.execute.*)",
                        "the stream AGENT_RESULTS is missing",
                        "the stream AGENT_DEAD_LETTERS is missing",
                        $"the consumer {Workers} of the stream {Jobs} is missing",
                        "NATS_MANAGE_STREAMS is off",
                    ],
                part => Assert.Contains(part, fault.Message, StringComparison.Ordinal)
            );
        }
        Assert.Contains(Jobs, Assert.Single(Lines(1135)), StringComparison.Ordinal);

        foreach (
            var (name, subject) in ((string, string)[])
                [(Jobs, "agent.execute.*"), ("AGENT_RESULTS", "agent.status.*"), ("AGENT_DEAD_LETTERS", "agent.dead-letter.*")]
        )
        {
            await JetStream.CreateStreamAsync(new StreamConfig { Name = name, Subjects = [subject] }, Cancellation);
        }
        var missing = await Assert.ThrowsAsync<FaultException>(async () => await bus.FetchAsync(1, TimeSpan.FromSeconds(1), Cancellation));
        Assert.Contains($"the consumer {Workers} of the stream {Jobs} is missing", missing.Message, StringComparison.Ordinal);
        await JetStream.CreateConsumerAsync(
            Jobs,
            new ConsumerConfig { DurableName = Workers, AckPolicy = ConsumerConfigAckPolicy.Explicit },
            Cancellation
        );
        await bus.PublishAsync(_job, Cancellation); // Once the streams exist, the bus works without a restart.
        Assert.Single(await bus.FetchAsync(1, TimeSpan.FromSeconds(10), Cancellation));
    }

    [Fact]
    public async Task A_client_neither_creates_nor_changes_streams()
    {
        await using var client = OpenBus(isClient: true);

        var fault = await Assert.ThrowsAsync<FaultException>(async () => await client.PublishAsync(_job, Cancellation));

        Assert.Contains($"the stream {Jobs} is missing", fault.Message, StringComparison.Ordinal);
        Assert.Contains("start the service", fault.Message, StringComparison.Ordinal);
        Assert.Null(await JetStream.FindStreamAsync(Jobs, Cancellation));
        await using var service = OpenBus();
        await service.PublishAsync(_job, Cancellation);
        await client.PublishAsync(_job, Cancellation);
        Assert.Equal(2, (await client.ReadAsync(new BusQuery(BusStream.Jobs, 5), Cancellation)).Length);
    }

    [Fact]
    public async Task Settings_that_NATS_cannot_change_are_reported_once_and_the_stream_is_used()
    {
        await JetStream.CreateStreamAsync(
            Stream() with
            {
                Storage = StreamConfigStorage.Memory,
                Retention = StreamConfigRetention.Workqueue,
            },
            Cancellation
        );
        await using var bus = OpenBus();

        await PublishAsync(bus);
        await bus.ReadAsync(new BusQuery(BusStream.Results, 1), Cancellation);
        await JetStream.DeleteConsumerAsync(Jobs, Workers, Cancellation); // The bus checks the streams again.
        Assert.Single(await FetchAsync(bus));

        var stream = (await JetStream.FindStreamAsync(Jobs, Cancellation))!.Config;
        Assert.Equal((StreamConfigStorage.Memory, StreamConfigRetention.Workqueue), (stream.Storage, stream.Retention));
        var warnings = Lines(1132);
        Assert.Equal(2, warnings.Count);
        Assert.Contains(
            $"NATS keeps {Jobs} in memory: accepted messages are lost when the server restarts ({Jobs}: storage is Memory, not File)",
            warnings[0],
            StringComparison.Ordinal
        );
        Assert.Contains("retention is WorkQueue, not Limits", warnings[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_consumer_without_explicit_acknowledgements_is_reported()
    {
        await JetStream.CreateStreamAsync(Stream(), Cancellation);
        await JetStream.CreateConsumerAsync(
            Jobs,
            new ConsumerConfig { DurableName = Workers, AckPolicy = ConsumerConfigAckPolicy.All },
            Cancellation
        );
        await using var bus = OpenBus();

        await bus.PublishAsync(_job, Cancellation);

        Assert.Contains("acknowledgement is All, not Explicit", Assert.Single(Lines(1132)), StringComparison.Ordinal);
        Assert.Equal(ConsumerConfigAckPolicy.All, (await JetStream.FindConsumerAsync(Jobs, Workers, Cancellation))!.Config.AckPolicy);
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
                await Task.Delay(20, Cancellation); // The server has just started.
            }
        }
    }

    private static StreamConfig Stream() =>
        new()
        {
            Name = Jobs,
            Subjects = ["agent.execute.*"],
            MaxAge = TimeSpan.FromHours(24),
        };
}
