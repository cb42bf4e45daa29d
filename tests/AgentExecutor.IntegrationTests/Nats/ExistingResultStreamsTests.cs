using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using NATS.Client.JetStream.Models;

namespace AgentExecutor.IntegrationTests.Nats;

/// <summary>The bus uses streams of results and dead letters that exist before it connects.</summary>
public abstract class ExistingResultStreamsTests : NatsBusTest
{
    [Theory]
    [InlineData("agent.status.*")]
    [InlineData("agent.status.>")]
    [InlineData("agent.status.*", "billing.*")]
    public async Task Results_are_stored_in_the_stream_that_has_their_subject(params string[] subjects)
    {
        var existing = (
            await JetStream.CreateStreamAsync(
                new StreamConfig
                {
                    Name = "AGENT_STATUS",
                    Subjects = subjects,
                    Storage = StreamConfigStorage.Memory,
                    MaxAge = TimeSpan.FromHours(2),
                    Description = "mine",
                },
                Cancellation
            )
        ).Config;
        await using var bus = OpenBus();

        await bus.PublishAsync(
            [new BusMessage("agent.status.completed", "1"u8.ToArray()) { Id = "a:1" }, new BusMessage("agent.execute.x", "{}"u8.ToArray())],
            Cancellation
        );

        Assert.Null(await JetStream.FindStreamAsync("AGENT_RESULTS", Cancellation));
        var config = (await JetStream.FindStreamAsync("AGENT_STATUS", Cancellation))!.Config;
        Assert.Equal(
            (existing.MaxAge, "mine", string.Join(' ', subjects)),
            (config.MaxAge, config.Description, string.Join(' ', config.Subjects!))
        );
        if (subjects.Length > 1)
        {
            await JetStream.Context.PublishAsync("billing.a", "{}"u8.ToArray(), cancellationToken: Cancellation);
        }
        await using var client = OpenBus(isClient: true);
        foreach (var reader in (IEventBus[])[bus, client])
        {
            Assert.Equal(
                "a:1",
                Assert.Single(await reader.ReadAsync(new BusQuery(BusStream.Results, 10, HasBodies: false), Cancellation)).Id
            );
        }
        Assert.Contains("AGENT_STATUS", Assert.Single(Lines(1136)), StringComparison.Ordinal);
        Assert.Contains(
            Lines(1132),
            line => line.Contains("NATS keeps AGENT_STATUS in memory: results are lost when the server restarts", StringComparison.Ordinal)
        );
        Assert.DoesNotContain(Log.Lines, line => line.StartsWith("1135", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Callers_wait_while_the_bus_looks_for_its_streams()
    {
        await JetStream.CreateStreamAsync(new StreamConfig { Name = "AGENT_STATUS", Subjects = ["agent.status.*"] }, Cancellation);
        await using var bus = OpenBus();

        await Task.WhenAll(
            Enumerable
                .Range(0, 20)
                .Select(i =>
                    i % 2 == 0
                        ? bus.ReadAsync(new BusQuery(BusStream.Results, 1), Cancellation).AsTask()
                        : bus.ReadAsync(new BusQuery(BusStream.Jobs, 1), Cancellation).AsTask()
                )
        );

        Assert.Empty(Lines(1135));
    }

    /// <summary>Two streams cannot have the same subject, so the stream of the service cannot have all subjects of results.</summary>
    [Fact]
    public async Task Results_on_subjects_that_no_stream_has_are_stored_beside_those_of_an_existing_stream()
    {
        await JetStream.CreateStreamAsync(
            new StreamConfig { Name = "AGENT_STATUS", Subjects = ["agent.status.completed", "agent.status.failed"] },
            Cancellation
        );
        await using var bus = OpenBus();

        await bus.PublishAsync(
            [
                .. ((string[])["completed", "failed", "interrupted", "cancelled"]).Select(status => new BusMessage(
                    $"agent.status.{status}",
                    "{}"u8.ToArray()
                )
                {
                    Id = status,
                }),
            ],
            Cancellation
        );

        Assert.Equal(
            ["completed", "failed"],
            (await bus.ReadAsync(new BusQuery(BusStream.Results, 10), Cancellation)).Select(message => message.Id).Order()
        );
        Assert.Equal(2, (await JetStream.FindStreamAsync("AGENT_RESULTS", Cancellation))!.State.Messages);
        Assert.Contains(Lines(1132), line => line.Contains("without agent.status.*", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(StreamConfigRetention.Workqueue, "WorkQueue")]
    [InlineData(StreamConfigRetention.Interest, "Interest")]
    public async Task Results_and_dead_letters_are_read_from_streams_of_another_retention(StreamConfigRetention retention, string text)
    {
        foreach (var (name, subject) in ((string, string)[])[("AGENT_STATUS", "agent.status.*"), ("LETTERS", "agent.dead-letter.*")])
        {
            await JetStream.CreateStreamAsync(
                new StreamConfig
                {
                    Name = name,
                    Subjects = [subject],
                    Retention = retention,
                },
                Cancellation
            );
            await JetStream.CreateConsumerAsync(
                name,
                new ConsumerConfig { DurableName = "other", AckPolicy = ConsumerConfigAckPolicy.Explicit },
                Cancellation
            );
        }
        await using var bus = OpenBus();

        await bus.PublishAsync(
            [
                .. Enumerable.Range(0, 3).Select(i => new BusMessage("agent.status.failed", "1"u8.ToArray()) { Id = $"a:{i}" }),
                new BusMessage("agent.dead-letter.x", "2"u8.ToArray()),
            ],
            Cancellation
        );

        Assert.Equal(
            ["a:1", "a:2"],
            (await bus.ReadAsync(new BusQuery(BusStream.Results, 10, After: 1, HasBodies: false), Cancellation)).Select(it => it.Id)
        );
        Assert.Equal(
            ["a:0"],
            (
                await bus.ReadAsync(new BusQuery(BusStream.Results, 1, Since: TimeProvider.System.GetUtcNow().AddMinutes(-1)), Cancellation)
            ).Select(it => it.Id)
        );
        var letter = Assert.Single(await bus.ReadAsync(new BusQuery(BusStream.DeadLetters, 10), Cancellation));
        Assert.True(await bus.DeleteAsync(BusStream.DeadLetters, letter.Sequence, Cancellation));
        Assert.Equal(2, Lines(1132).Count(line => line.Contains($"retention is {text}, not Limits", StringComparison.Ordinal)));
    }
}

/// <summary>Runs the tests with the installed server, which may be an old one.</summary>
public sealed class ExistingResultStreamsOnInstalledServerTests : ExistingResultStreamsTests;

/// <summary>Runs the tests with the current server.</summary>
public sealed class ExistingResultStreamsOnCurrentServerTests : ExistingResultStreamsTests
{
    private protected override async Task<NatsServer> StartAsync() =>
        await NatsServer.StartOwnAsync(program: await TestTools.NatsServerAsync());
}
