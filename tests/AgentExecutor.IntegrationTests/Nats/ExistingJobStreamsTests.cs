using System.Text;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using NATS.Client.JetStream.Models;

namespace AgentExecutor.IntegrationTests.Nats;

/// <summary>The bus uses streams and consumers of jobs that exist before it connects.</summary>
public abstract class ExistingJobStreamsTests : NatsBusTest
{
    /// <summary>True if the server knows this field of a stream, which servers before 2.10 do not.</summary>
    private protected abstract bool HasConsumerLimits { get; }

    [Fact]
    public async Task Jobs_in_a_stream_in_memory_with_other_limits_are_delivered()
    {
        await JetStream.CreateStreamAsync(
            new StreamConfig
            {
                Name = Jobs,
                Subjects = ["agent.execute.*"],
                Storage = StreamConfigStorage.Memory,
                MaxAge = TimeSpan.FromMinutes(30),
                Discard = StreamConfigDiscard.New,
                MaxBytes = 10_000_000,
            },
            Cancellation
        );
        await JetStream.CreateConsumerAsync(
            Jobs,
            new ConsumerConfig
            {
                DurableName = Workers,
                AckPolicy = ConsumerConfigAckPolicy.Explicit,
                AckWait = TimeSpan.FromSeconds(5),
                MaxDeliver = 2,
                MaxAckPending = 10,
            },
            Cancellation
        );
        await using var bus = OpenBus();

        await bus.PublishAsync([new BusMessage("agent.execute.x", "{}"u8.ToArray())], Cancellation);
        await Assert.Single(await bus.FetchAsync(5, Limit, Cancellation)).AckAsync(Cancellation);

        var config = (await JetStream.FindStreamAsync(Jobs, Cancellation))!.Config;
        Assert.Equal(
            (StreamConfigStorage.Memory, TimeSpan.FromHours(24), StreamConfigDiscard.Old, 10_000_000),
            (config.Storage, config.MaxAge, config.Discard, config.MaxBytes)
        );
        var consumer = (await JetStream.FindConsumerAsync(Jobs, Workers, Cancellation))!.Config;
        Assert.Equal((TimeSpan.FromSeconds(30), -1, 100_000), (consumer.AckWait, consumer.MaxDeliver, consumer.MaxAckPending));
        var warning = Assert.Single(Lines(1132));
        Assert.Contains(
            "NATS keeps AGENT_EXECUTION in memory: accepted messages are lost when the server restarts",
            warning,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_stream_that_keeps_more_is_not_shrunk()
    {
        await JetStream.CreateStreamAsync(
            new StreamConfig
            {
                Name = Jobs,
                Subjects = ["agent.execute.>", "agent.other"],
                MaxAge = TimeSpan.FromDays(7),
                DuplicateWindow = TimeSpan.FromHours(1),
            },
            Cancellation
        );
        await using var bus = OpenBus();

        await bus.PublishAsync([new BusMessage("agent.execute.x", "{}"u8.ToArray())], Cancellation);

        var config = (await JetStream.FindStreamAsync(Jobs, Cancellation))!.Config;
        Assert.Equal(
            (TimeSpan.FromDays(7), TimeSpan.FromHours(1), "agent.execute.> agent.other"),
            (config.MaxAge, config.DuplicateWindow, string.Join(' ', config.Subjects!))
        );
        Assert.Empty(Lines(1132));
        Assert.Empty(Lines(1131));
        Assert.Equal("agent.execute.*", (await JetStream.FindConsumerAsync(Jobs, Workers, Cancellation))!.Config.FilterSubject);
    }

    [Fact]
    public async Task What_the_server_refuses_to_change_is_a_warning_and_the_rest_is_changed()
    {
        await JetStream.CreateStreamAsync(
            new StreamConfig
            {
                Name = Jobs,
                Subjects = ["orders.*"],
                MaxAge = TimeSpan.FromHours(1),
            },
            Cancellation
        );
        await JetStream.CreateStreamAsync(new StreamConfig { Name = "OTHERS", Subjects = ["agent.execute.billing"] }, Cancellation);
        await using var bus = OpenBus();

        Assert.Empty(await bus.ReadAsync(new BusQuery(BusStream.Results, 1), Cancellation));

        var config = (await JetStream.FindStreamAsync(Jobs, Cancellation))!.Config;
        Assert.Equal((TimeSpan.FromHours(24), "orders.*"), (config.MaxAge, Assert.Single(config.Subjects!)));
        Assert.Contains($"{Jobs} does not store jobs on agent.execute.*", Assert.Single(Lines(1132)), StringComparison.Ordinal);
        Assert.Contains("overlap", Assert.Single(Lines(1132)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_stream_for_everything_is_used_and_each_kind_is_found_in_it()
    {
        await JetStream.CreateStreamAsync(new StreamConfig { Name = "AGENTS", Subjects = ["agent.>"] }, Cancellation);
        await using var bus = OpenBus();
        await bus.PublishAsync(
            [
                new BusMessage("agent.status.failed", "1"u8.ToArray()) { Id = "a:1" },
                new BusMessage("agent.execute.x", "job"u8.ToArray()),
                new BusMessage("agent.dead-letter.x", "2"u8.ToArray()) { Id = "b" },
            ],
            Cancellation
        );

        var delivery = Assert.Single(await bus.FetchAsync(5, Limit, Cancellation));
        Assert.Equal("agent.execute.x", delivery.Message.Subject);
        await new DeadLetters(bus, TimeProvider.System).PutAsync(delivery, "invalid_event", "no job", Cancellation);
        await delivery.AckAsync(Cancellation);

        Assert.Empty(await bus.FetchAsync(5, TimeSpan.FromSeconds(1), Cancellation));
        Assert.Equal("a:1", Assert.Single(await bus.ReadAsync(new BusQuery(BusStream.Results, 10), Cancellation)).Id);
        var letters = await bus.ReadAsync(new BusQuery(BusStream.DeadLetters, 10), Cancellation);
        Assert.Equal(["2", "job"], letters.Select(letter => System.Text.Encoding.UTF8.GetString(letter.Body.Span)));
        Assert.True(await bus.DeleteAsync(BusStream.DeadLetters, letters[0].Sequence, Cancellation));
    }

    [Fact]
    public async Task A_consumer_without_a_filter_delivers_no_other_messages_as_jobs()
    {
        await JetStream.CreateStreamAsync(new StreamConfig { Name = "AGENTS", Subjects = ["agent.>"] }, Cancellation);
        await JetStream.CreateConsumerAsync(
            "AGENTS",
            new ConsumerConfig { DurableName = Workers, AckPolicy = ConsumerConfigAckPolicy.Explicit },
            Cancellation
        );
        await using var bus = OpenBus(Server.Settings() with { ManageStreams = false });

        await bus.PublishAsync(
            [
                new BusMessage("agent.dead-letter.x", "2"u8.ToArray()),
                new BusMessage("agent.status.failed", "1"u8.ToArray()),
                new BusMessage("agent.execute.x", "{}"u8.ToArray()),
            ],
            Cancellation
        );

        Assert.Equal("agent.execute.x", Assert.Single(await bus.FetchAsync(5, Limit, Cancellation)).Message.Subject);
        Assert.Single(Lines(1137));
    }

    [Fact]
    public async Task A_push_consumer_with_the_name_is_reported_with_a_remedy()
    {
        await JetStream.CreateStreamAsync(new StreamConfig { Name = Jobs, Subjects = ["agent.execute.*"] }, Cancellation);
        var push = new ConsumerConfig
        {
            DurableName = Workers,
            AckPolicy = ConsumerConfigAckPolicy.Explicit,
            DeliverSubject = "jobs.to.me",
        };
        await JetStream.CreateConsumerAsync(Jobs, push, Cancellation);
        await using var bus = OpenBus();

        var fault = await Assert.ThrowsAsync<FaultException>(async () => await bus.FetchAsync(1, TimeSpan.FromSeconds(1), Cancellation));

        Assert.Contains("NATS_CONSUMER_GROUP", fault.Message, StringComparison.Ordinal);
    }

    /// <summary>The models of the client library lack this field, so an update with them would remove it.</summary>
    [Fact]
    public async Task Fields_that_the_client_does_not_know_survive_an_update()
    {
        var config = Encoding.UTF8.GetBytes(
            $$"""
            {"name": "{{Jobs}}", "subjects": ["agent.execute.*"], "max_age": 3600000000000, "duplicate_window": 60000000000,
             "consumer_limits": {"max_ack_pending": 150000} }
            """
        );
        await JetStream.Connection.RequestAsync<byte[], byte[]>($"$JS.API.STREAM.CREATE.{Jobs}", config, cancellationToken: Cancellation);
        await using var bus = OpenBus();

        await bus.PublishAsync([new BusMessage("agent.execute.x", "{}"u8.ToArray())], Cancellation);

        var reply = await JetStream.Connection.RequestAsync<byte[], byte[]>(
            $"$JS.API.STREAM.INFO.{Jobs}",
            [],
            cancellationToken: Cancellation
        );
        var after = JsonElement.Parse(reply.Data).GetProperty("config");
        Assert.Equal(TimeSpan.FromHours(24).Ticks * 100, after.GetProperty("max_age").GetInt64());
        Assert.Equal(
            HasConsumerLimits ? 150_000 : 0,
            after.TryGetProperty("consumer_limits", out var limits) ? limits.GetProperty("max_ack_pending").GetInt32() : 0
        );
    }
}

/// <summary>Runs the tests with the installed server, which may be an old one.</summary>
public sealed class ExistingJobStreamsOnInstalledServerTests : ExistingJobStreamsTests
{
    private protected override bool HasConsumerLimits => false;
}

/// <summary>Runs the tests with the current server.</summary>
public sealed class ExistingJobStreamsOnCurrentServerTests : ExistingJobStreamsTests
{
    private protected override async Task<NatsServer> StartAsync() =>
        await NatsServer.StartOwnAsync(program: await TestTools.NatsServerAsync());

    private protected override bool HasConsumerLimits => true;
}
