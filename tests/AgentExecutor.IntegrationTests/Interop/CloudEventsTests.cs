using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Interop;

/// <summary>The official JavaScript libraries of NATS and CloudEvents send jobs and read results.</summary>
public sealed class CloudEventsTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Jobs_of_the_official_libraries_are_accepted_in_every_mode_and_results_are_valid_events()
    {
        NatsFixture.SkipWithout();
        var settings = await postgres.SchemaAsync();
        await using var nats = await NatsServer.StartOwnAsync();
        await using var fleet = Fleet.Start(settings, await postgres.ServerAsync(), workers: 1, nats);
        await NodePackage.InstallAsync(fleet.Program, "events");
        await using var bus = new JobBus(nats);
        await bus.ReadAsync(Core.Messaging.BusStream.Results); // This creates the streams.
        await Wait.UntilAsync(() => fleet.Workers[0].Lines.Any(line => line.Contains("\"event_id\":1203", StringComparison.Ordinal)));
        var definition = fleet.Program.WriteFile(
            "agent.json",
            """
            {"nodes": [{"id": "lead", "type": "orchestrator",
              "config": {"model": {"provider": "scripted", "model": "m", "script": [{"text": "you said {{input}}"}]}}}]}
            """
        );

        var ran = await NodePackage.RunAsync(fleet.Program, "node", "jobs.mjs", nats.Url, Fleet.Url(fleet.Workers[0]), definition);

        Assert.True(ran.ExitCode == 0, ran.Error);
        var output = JsonElement.Parse(ran.Output);
        Assert.Equal(("AGENT_EXECUTION", true), (output.TextProperty("stream"), output.GetProperty("duplicate").GetBoolean()));
        var results = output.GetProperty("results").EnumerateArray().ToDictionary(result => result.TextProperty("job")!);
        Assert.Equal(["http-binary", "http-structured", "nats-binary", "nats-structured"], results.Keys.Order());
        foreach (
            var (job, digit) in ((string, char)[])
                [("nats-structured", '1'), ("nats-binary", '2'), ("http-structured", '3'), ("http-binary", '4')]
        )
        {
            var result = results[job];
            Assert.Equal(
                ("agent.status.completed", "dev.my-platform.agent.completed", "agent-executor-service", "application/json"),
                (
                    result.TextProperty("subject"),
                    result.TextProperty("type"),
                    result.TextProperty("source"),
                    result.TextProperty("datacontenttype")
                )
            );
            Assert.Equal(result.TextProperty("message_id"), result.TextProperty("id"));
            Assert.StartsWith($"00-{new string(digit, 32)}-", result.TextProperty("traceparent"), StringComparison.Ordinal);
            Assert.Equal(job, result.GetProperty("data").TextProperty("job_id"));
            Assert.Equal(
                ("completed", $"you said go, {job}: ü €"),
                (
                    result.GetProperty("data").GetProperty("result").TextProperty("status"),
                    result.GetProperty("data").GetProperty("result").TextProperty("output")
                )
            );
        }
        var answers = output.GetProperty("http").EnumerateArray().ToList();
        Assert.Equal([200, 200, 400], answers.Select(answer => answer.GetProperty("status").GetInt32()));
        Assert.Contains("http-structured", answers[0].TextProperty("body"), StringComparison.Ordinal);
        Assert.StartsWith("application/problem+json", answers[2].TextProperty("type"), StringComparison.Ordinal);
        Assert.Contains("job_id", answers[2].TextProperty("body"), StringComparison.Ordinal);
    }
}
