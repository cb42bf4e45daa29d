using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Jobs;

/// <summary>Workers take jobs as CloudEvents from NATS, and publish their results.</summary>
public sealed class JobsOverNatsTests(PostgresFixture postgres) : JobsTest(postgres)
{
    [Fact]
    public async Task A_job_in_any_mode_gives_one_result_event_of_its_trace()
    {
        var job = JobBus.Job("structured", Counting());
        const string TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        await Bus.Bus.PublishAsync(
            [
                new BusMessage(
                    "agent.execute.a",
                    Encoding.UTF8.GetBytes(
                        $$"""
                        {"specversion": "1.0", "id": "1", "source": "/test", "type": "dev.my-platform.agent.execute",
                          "traceparent": "{{TraceParent}}", "data": {{job}}}
                        """
                    )
                ),
                new BusMessage("agent.execute.b", Encoding.UTF8.GetBytes(JobBus.Job("binary", Counting())))
                {
                    Headers =
                    [
                        KeyValuePair.Create("ce-specversion", "1.0"),
                        KeyValuePair.Create("ce-id", "2"),
                        KeyValuePair.Create("ce-source", "/test"),
                        KeyValuePair.Create("ce-type", "dev.my-platform.agent.execute"),
                        KeyValuePair.Create("Content-Type", "application/json"),
                    ],
                },
                new BusMessage("agent.execute.c", Encoding.UTF8.GetBytes(JobBus.Job("bare", Counting()))),
            ],
            Cancel
        );

        await Wait.UntilAsync(async () => (await Bus.ResultsAsync()).Count == 3);

        var message = (await Bus.ReadAsync(BusStream.Results)).Single(it =>
            JsonElement.Parse(it.Body.Span).TextProperty("subject") == "structured"
        );
        var result = JsonElement.Parse(message.Body.Span);
        Assert.Equal("agent.status.completed", message.Subject);
        Assert.Equal("application/cloudevents+json", message.Header("Content-Type"));
        Assert.Equal(
            ("1.0", "dev.my-platform.agent.completed", "agent-executor-service", "application/json"),
            (
                result.TextProperty("specversion"),
                result.TextProperty("type"),
                result.TextProperty("source"),
                result.TextProperty("datacontenttype")
            )
        );
        Assert.Equal(TraceParent[..35], result.TextProperty("traceparent")![..35]);
        Assert.Equal(message.Id, result.TextProperty("id"));
        Assert.Equal("structured", result.GetProperty("data").TextProperty("job_id"));
        Assert.StartsWith(
            "the tool said: counted",
            result.GetProperty("data").GetProperty("result").TextProperty("output"),
            StringComparison.Ordinal
        );
        Assert.Equal(["bare", "binary", "structured"], (await Bus.ResultsAsync()).Select(it => it.Job).Order());
        Assert.All(await Bus.ResultsAsync(), it => Assert.Equal("completed", it.Status));
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task A_job_whose_workers_die_becomes_a_dead_letter_and_starts_again_when_it_is_resent()
    {
        Fleet.Program.Variables["AGENT_EXECUTOR_WORKER_MAX_CRASHES"] = "1";
        var gate = new TaskCompletionSource();
        Fleet.Tool.Gate = gate.Task;
        await Bus.SendAsync(JobBus.Job("poison", Counting()));
        await Wait.UntilAsync(() => !Fleet.Tool.Calls.IsEmpty);
        await Fleet.KillAsync(Fleet.Workers[0]);
        Fleet.StartWorker();

        await Wait.UntilAsync(async () => (await Bus.ResultsAsync()).Count == 1);

        Assert.Equal("worker_crashed", (await Bus.ResultsAsync())[0].Data.GetProperty("error").TextProperty("code"));
        var letter = Assert.Single(await Bus.ReadAsync(BusStream.DeadLetters));
        gate.SetResult();
        var redriven = await Fleet.Program.RunAsync("dead-letters", "redrive", $"{letter.Sequence}");
        Assert.True(redriven.ExitCode == 0, redriven.Error);
        await Wait.UntilAsync(async () => (await Bus.ResultsAsync()).Count == 2);
        Assert.Equal("completed", (await Bus.ResultsAsync())[1].Status);
        Assert.Empty(await Bus.ReadAsync(BusStream.DeadLetters));
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task Results_wait_while_NATS_is_unavailable_and_missing_streams_are_created_again()
    {
        var gate = new TaskCompletionSource();
        Fleet.Tool.Gate = gate.Task;
        await Bus.SendAsync(JobBus.Job("j", Counting()));
        await Wait.UntilAsync(() => !Fleet.Tool.Calls.IsEmpty);
        await Nats.KillAsync();
        gate.SetResult();
        await Wait.UntilAsync(async () => await Fleet.CountAsync("SELECT count(*) FROM outbox") == 1);
        Directory.Delete(Directory.EnumerateDirectories(Nats.Folder, "jetstream", SearchOption.AllDirectories).First(), recursive: true);
        await Nats.StartAgainAsync();

        await Wait.UntilAsync(async () => (await Bus.ResultsAsync()).Count == 1);
        await Bus.SendAsync(JobBus.Job("next", Counting()));
        await Wait.UntilAsync(async () => (await Bus.ResultsAsync()).Count == 2);

        await Wait.UntilAsync(async () => await Fleet.CountAsync("SELECT count(*) FROM outbox WHERE announced_at IS NULL") == 0);
        Assert.InRange(Fleet.Workers[0].Lines.Count(line => line.Contains("NATS is not available", StringComparison.Ordinal)), 1, 3);
    }

    [Fact]
    public async Task A_result_that_was_published_before_the_duplicate_window_is_not_published_again()
    {
        await Bus.SendAsync(JobBus.Job("old", Counting()), JobBus.Job("older", Counting()));
        await Wait.UntilAsync(async () => (await Bus.ResultsAsync()).Count == 2);
        await Wait.UntilAsync(async () => await Fleet.CountAsync("SELECT count(*) FROM outbox WHERE announced_at IS NULL") == 0);
        var before = await Bus.ReadAsync(BusStream.Results);
        await Fleet.KillAsync(Fleet.Workers[0]);
        // As if the relay had died after it published the result and before it marked it.
        await Fleet.ExecuteAsync("UPDATE outbox SET announced_at = NULL");
        await Bus.Bus.PublishAsync(
            [.. Enumerable.Range(0, 3).Select(i => new BusMessage("agent.status.failed", "{}"u8.ToArray()) { Id = $"other:{i}" })],
            Cancel
        );
        // NATS forgets the ids after the duplicate window.
        await Task.Delay(TimeSpan.FromMinutes(JobBus.DuplicateMinutes * 1.5), TimeProvider.System, Cancel);
        Fleet.StartWorker();

        await Wait.UntilAsync(async () => await Fleet.CountAsync("SELECT count(*) FROM outbox WHERE announced_at IS NULL") == 0);

        Assert.Equal(
            before.Select(it => it.Id).Concat(["other:0", "other:1", "other:2"]).Order(),
            (await Bus.ReadAsync(BusStream.Results)).Select(it => it.Id).Order()
        );
    }

    [Fact]
    public async Task An_interrupted_job_acknowledges_its_message_and_publishes_again_after_it_resumes()
    {
        var definition = Counting()
            .Replace("\"tools\": [\"count\"]", "\"tools\": [\"count\"], \"interrupt_on\": {\"count\": true}", StringComparison.Ordinal);
        await Bus.SendAsync(JobBus.Job("asks", definition));
        await Wait.UntilAsync(async () => (await Bus.ResultsAsync()).Count == 1);
        Assert.Equal("interrupted", (await Bus.ResultsAsync())[0].Status);
        await AssertNothingIsLeftAsync();

        using var http = new HttpClient { BaseAddress = new Uri(Fleet.Url(Fleet.Workers[0])) };
        using var body = new StringContent("""{"answer": {"decision": "approve"}}""", Encoding.UTF8, "application/json");
        var answered = await http.PostAsync(new Uri("/threads/asks/resume", UriKind.Relative), body, Cancel);
        Assert.True((int)answered.StatusCode == 202, await answered.Content.ReadAsStringAsync(Cancel));

        await Wait.UntilAsync(async () => (await Bus.ResultsAsync()).Count == 2);
        Assert.Equal("completed", (await Bus.ResultsAsync())[1].Status);
        Assert.Equal(1, Fleet.Tool.Calls.Values.Sum());
    }

    [Fact]
    public async Task The_submit_command_sends_a_job_over_NATS_and_follows_it()
    {
        var definition = Fleet.Program.WriteFile("agent.json", Counting());
        Fleet.Program.Variables["POSTGRES_HOST"] = "";
        await Bus.ReadAsync(BusStream.Results); // The command does not create streams.
        await Wait.UntilAsync(() => Fleet.Workers[0].Lines.Any(line => line.Contains("\"event_id\":1203", StringComparison.Ordinal)));

        var waited = await Fleet.Program.RunAsync("submit", definition, "--input", "go", "--run-id", "cli", "--wait");

        Assert.True(waited.ExitCode == 0, waited.Error);
        Assert.StartsWith("the tool said: counted", waited.Output, StringComparison.Ordinal);
        var again = await Fleet.Program.RunAsync("submit", definition, "--input", "go", "--run-id", "cli", "--wait");
        Assert.Equal((0, waited.Output), (again.ExitCode, again.Output));
        var other = await Fleet.Program.RunAsync("submit", definition, "--input", "something else", "--run-id", "cli", "--wait");
        Assert.Equal((2, ""), (other.ExitCode, other.Output));
        Assert.Contains("[job_conflict]", other.Error, StringComparison.Ordinal);
        Assert.Equal(
            2,
            (await Fleet.Program.RunAsync("submit", Path.Combine(AgentExecutorProgram.Root, "README.md"), "--input", "x")).ExitCode
        );
        Assert.Contains("--input", (await Fleet.Program.RunAsync("submit", definition)).Error, StringComparison.Ordinal);
        var whole = Fleet.Program.WriteFile("job.json", JobBus.Job("whole", Counting()));
        var overHttp = await Fleet.Program.RunAsync("submit", whole, "--to", Fleet.Url(Fleet.Workers[0]), "--wait");
        Assert.True(overHttp.ExitCode == 0, overHttp.Error);
        Assert.StartsWith("the tool said: counted", overHttp.Output, StringComparison.Ordinal);
    }

    /// <summary>Two workers each take some of the jobs, which last a second.</summary>
    [Fact]
    public async Task Replicas_share_the_load()
    {
        const int Jobs = 60;
        Fleet.StartWorker();
        await Wait.UntilAsync(() =>
            Fleet.Workers.All(worker => worker.Lines.Any(line => line.Contains("\"event_id\":1203", StringComparison.Ordinal)))
        );
        for (var i = 0; i < Jobs; i++)
        {
            await Bus.SendAsync(JobBus.Job($"j{i}", Counting(delayMs: 300)));
        }

        await Wait.UntilAsync(async () => (await Bus.ResultsAsync()).Count == Jobs);

        Assert.All(
            Fleet.Workers,
            worker =>
                Assert.InRange(
                    worker.Lines.Count(line => line.Contains("\"event_id\":1003", StringComparison.Ordinal)),
                    Jobs / 4,
                    Jobs * 3 / 4
                )
        );
    }
}
