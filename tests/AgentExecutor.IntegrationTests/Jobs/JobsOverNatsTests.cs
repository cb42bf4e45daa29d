using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Crash;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Jobs;

/// <summary>CloudEvents in over NATS, results out, through real workers on PostgreSQL.</summary>
public sealed class JobsOverNatsTests(PostgresFixture postgres) : IAsyncLifetime
{
    private NatsServer _nats = null!;
    private JobBus _bus = null!;
    private Fleet _fleet = null!;

    public async ValueTask InitializeAsync()
    {
        NatsFixture.SkipWithout();
        var settings = await postgres.SchemaAsync();
        _nats = await NatsServer.StartOwnAsync();
        _bus = new JobBus(_nats);
        _fleet = Fleet.Start(settings, await postgres.ServerAsync(), workers: 1, _nats);
    }

    public async ValueTask DisposeAsync()
    {
        await _fleet.DisposeAsync();
        await _bus.DisposeAsync();
        await _nats.DisposeAsync();
    }

    [Fact]
    public async Task A_job_in_any_mode_gives_one_result_event_of_its_trace()
    {
        var job = JobBus.Job("structured", Counting());
        const string TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        await _bus.Bus.PublishAsync(
            [
                new BusMessage("agent.execute.a", Encoding.UTF8.GetBytes(
                    $$"""{"specversion": "1.0", "id": "1", "source": "/test", "type": "dev.my-platform.agent.execute", "traceparent": "{{TraceParent}}", "data": {{job}}}""")),
                new BusMessage("agent.execute.b", Encoding.UTF8.GetBytes(JobBus.Job("binary", Counting())))
                {
                    Headers =
                    [
                        KeyValuePair.Create("ce-specversion", "1.0"), KeyValuePair.Create("ce-id", "2"), KeyValuePair.Create("ce-source", "/test"),
                        KeyValuePair.Create("ce-type", "dev.my-platform.agent.execute"), KeyValuePair.Create("Content-Type", "application/json"),
                    ],
                },
                new BusMessage("agent.execute.c", Encoding.UTF8.GetBytes(JobBus.Job("bare", Counting()))),
            ], Cancel);

        await Fleet.EventuallyAsync(async () => (await _bus.ResultsAsync()).Count == 3);

        var message = (await _bus.ReadAsync(BusStream.Results)).Single(it => JsonElement.Parse(it.Body.Span).TextProperty("subject") == "structured");
        var result = JsonElement.Parse(message.Body.Span);
        Assert.Equal("agent.status.completed", message.Subject);
        Assert.Equal("application/cloudevents+json", message.Header("Content-Type"));
        Assert.Equal(
            ("1.0", "dev.my-platform.agent.completed", "agent-executor-service", "application/json"),
            (result.TextProperty("specversion"), result.TextProperty("type"), result.TextProperty("source"), result.TextProperty("datacontenttype")));
        Assert.Equal(TraceParent[..35], result.TextProperty("traceparent")![..35]);
        Assert.Equal(message.Id, result.TextProperty("id"));
        Assert.Equal("structured", result.GetProperty("data").TextProperty("job_id"));
        Assert.StartsWith("the tool said: counted", result.GetProperty("data").GetProperty("result").TextProperty("output"), StringComparison.Ordinal);
        Assert.Equal(["bare", "binary", "structured"], (await _bus.ResultsAsync()).Select(it => it.Job).Order());
        Assert.All(await _bus.ResultsAsync(), it => Assert.Equal("completed", it.Status));
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task The_same_job_again_is_done_once_and_another_of_its_id_is_put_aside()
    {
        var job = JobBus.Job("j", Counting());
        await _bus.SendAsync(job, job + " ", job.Replace("\"j\"", "  \"j\"  ", StringComparison.Ordinal));
        await Fleet.EventuallyAsync(async () => (await _bus.ResultsAsync()).Count == 1);
        await _bus.SendAsync(job + "  ", JobBus.Job("j", Counting(), "something else"));

        await Fleet.EventuallyAsync(async () => (await _bus.ReadAsync(BusStream.DeadLetters)).Count == 1);

        await AssertNothingIsLeftAsync();
        Assert.Single(await _bus.ResultsAsync());
        Assert.Equal(1, _fleet.Tool.Calls.Values.Sum());
        var letter = (await _bus.ReadAsync(BusStream.DeadLetters))[0];
        Assert.Equal(("job_conflict", "agent.execute.test"), (letter.Header("Dead-Letter-Code"), letter.Header("Dead-Letter-Subject")));
        Assert.Contains("something else", Encoding.UTF8.GetString(letter.Body.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_read_goes_to_the_dead_letters_and_holds_nobody_up()
    {
        await _bus.SendAsync(
            "no json", """{"job_id": "half"}""", """{"specversion": "0.3", "id": "1", "source": "/", "type": "x"}""", "", JobBus.Job("fine", Counting()));

        await Fleet.EventuallyAsync(async () => (await _bus.ResultsAsync()).Count == 1 && (await _bus.ReadAsync(BusStream.DeadLetters)).Count == 4);

        var letters = await _bus.ReadAsync(BusStream.DeadLetters);
        Assert.All(letters, letter => Assert.Equal("invalid_event", letter.Header("Dead-Letter-Code")));
        Assert.Contains("trace_id", letters.Single(letter => Encoding.UTF8.GetString(letter.Body.Span).Contains("half", StringComparison.Ordinal)).Header("Dead-Letter-Reason"), StringComparison.Ordinal);
        await AssertNothingIsLeftAsync();

        var list = await _fleet.Program.RunAsync("dead-letters", "list");
        Assert.Equal(0, list.ExitCode);
        Assert.Equal(5, list.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        var show = await _fleet.Program.RunAsync("dead-letters", "show", $"{letters[1].Sequence}", "--body");
        Assert.Equal("""{"job_id": "half"}""", show.Output);
        Assert.Equal(0, (await _fleet.Program.RunAsync("dead-letters", "drop", $"{letters[0].Sequence}", $"{letters[1].Sequence}")).ExitCode);
        Assert.Equal(2, (await _bus.ReadAsync(BusStream.DeadLetters)).Count);
        Assert.NotEqual(0, (await _fleet.Program.RunAsync("dead-letters", "show", "999")).ExitCode);
    }

    [Theory]
    [InlineData("\"name\": \"once\"", "\"name\": \"on\\u0000ce\"")]
    [InlineData("\"user_request\": \"go\"", "\"user_request\": \"g\\u0000o\"")]
    [InlineData("trace-odd", "trace\\u0000odd")]
    [InlineData("\"job_id\": \"odd\"", "\"job_id\": \"o\\u0000dd\"")]
    [InlineData("\"text\": \"the tool", "\"text\": \"\\u0000 the tool")]
    public async Task A_character_that_the_database_cannot_store_holds_nobody_up(string text, string odd)
    {
        await _bus.SendAsync(JobBus.Job("odd", Counting()).Replace(text, odd, StringComparison.Ordinal), JobBus.Job("fine", Counting()));

        await Fleet.EventuallyAsync(async () => (await _bus.ResultsAsync()).Count + (await _bus.ReadAsync(BusStream.DeadLetters)).Count == 2);

        Assert.Contains(await _bus.ResultsAsync(), it => it is { Job: "fine", Status: "completed" });
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task A_job_with_a_bad_definition_fails_with_all_its_faults()
    {
        await _bus.SendAsync(JobBus.Job("bad", """{"nodes": [{"id": "a", "type": "wizard"}]}"""), JobBus.Job("fine", Counting()));

        await Fleet.EventuallyAsync(async () => (await _bus.ResultsAsync()).Count == 2);

        var (_, status, data) = (await _bus.ResultsAsync()).Single(it => it.Job == "bad");
        Assert.Equal(("failed", "invalid_definition"), (status, data.GetProperty("error").TextProperty("code")));
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task A_job_whose_workers_die_is_put_aside_and_begins_again_when_it_is_sent_again()
    {
        _fleet.Program.Variables["AGENT_EXECUTOR_WORKER_MAX_CRASHES"] = "1";
        var gate = new TaskCompletionSource();
        _fleet.Tool.Gate = gate.Task;
        await _bus.SendAsync(JobBus.Job("poison", Counting()));
        await Fleet.EventuallyAsync(() => Task.FromResult(!_fleet.Tool.Calls.IsEmpty));
        await _fleet.KillAsync(_fleet.Workers[0]);
        _fleet.StartWorker();

        await Fleet.EventuallyAsync(async () => (await _bus.ResultsAsync()).Count == 1);

        Assert.Equal("worker_crashed", (await _bus.ResultsAsync())[0].Data.GetProperty("error").TextProperty("code"));
        var letter = Assert.Single(await _bus.ReadAsync(BusStream.DeadLetters));
        gate.SetResult();
        var redriven = await _fleet.Program.RunAsync("dead-letters", "redrive", $"{letter.Sequence}");
        Assert.True(redriven.ExitCode == 0, redriven.Error);
        await Fleet.EventuallyAsync(async () => (await _bus.ResultsAsync()).Count == 2);
        Assert.Equal("completed", (await _bus.ResultsAsync())[1].Status);
        Assert.Empty(await _bus.ReadAsync(BusStream.DeadLetters));
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task Results_wait_while_nats_is_away_and_streams_that_vanished_are_made_again()
    {
        var gate = new TaskCompletionSource();
        _fleet.Tool.Gate = gate.Task;
        await _bus.SendAsync(JobBus.Job("j", Counting()));
        await Fleet.EventuallyAsync(() => Task.FromResult(!_fleet.Tool.Calls.IsEmpty));
        await _nats.KillAsync();
        gate.SetResult();
        await Fleet.EventuallyAsync(async () => await _fleet.CountAsync("SELECT count(*) FROM outbox") == 1);
        Directory.Delete(Directory.EnumerateDirectories(_nats.Folder, "jetstream", SearchOption.AllDirectories).First(), recursive: true);
        await _nats.StartAgainAsync();

        await Fleet.EventuallyAsync(async () => (await _bus.ResultsAsync()).Count == 1);
        await _bus.SendAsync(JobBus.Job("next", Counting()));
        await Fleet.EventuallyAsync(async () => (await _bus.ResultsAsync()).Count == 2);

        Assert.Equal(0, await _fleet.CountAsync("SELECT count(*) FROM outbox WHERE announced_at IS NULL"));
        Assert.InRange(_fleet.Workers[0].Lines.Count(line => line.Contains("NATS is not available", StringComparison.Ordinal)), 1, 3);
    }

    [Fact]
    public async Task A_result_that_was_published_long_ago_is_not_published_again()
    {
        await _bus.SendAsync(JobBus.Job("old", Counting()), JobBus.Job("older", Counting()));
        await Fleet.EventuallyAsync(async () => (await _bus.ResultsAsync()).Count == 2);
        await Fleet.EventuallyAsync(async () => await _fleet.CountAsync("SELECT count(*) FROM outbox WHERE announced_at IS NULL") == 0);
        var before = await _bus.ReadAsync(BusStream.Results);
        await _fleet.KillAsync(_fleet.Workers[0]);
        // As if the relay had died between the two: published, and not marked.
        await _fleet.ExecuteAsync("UPDATE outbox SET announced_at = NULL, created_at = created_at - interval '9 minutes'");
        await _bus.Bus.PublishAsync([.. Enumerable.Range(0, 3).Select(i => new BusMessage("agent.status.failed", "{}"u8.ToArray()) { Id = $"other:{i}" })], Cancel);
        await Task.Delay(TimeSpan.FromMinutes(JobBus.DuplicateMinutes * 1.5), TimeProvider.System, Cancel); // the bus forgets the ids that it knew
        _fleet.StartWorker();

        await Fleet.EventuallyAsync(async () => await _fleet.CountAsync("SELECT count(*) FROM outbox WHERE announced_at IS NULL") == 0);

        Assert.Equal(before.Select(it => it.Id).Concat(["other:0", "other:1", "other:2"]).Order(), (await _bus.ReadAsync(BusStream.Results)).Select(it => it.Id).Order());
    }

    [Fact]
    public async Task An_interrupted_job_lets_its_message_go_and_is_announced_again_when_it_goes_on()
    {
        var definition = Counting().Replace("\"tools\": [\"count\"]", "\"tools\": [\"count\"], \"interrupt_on\": {\"count\": true}", StringComparison.Ordinal);
        await _bus.SendAsync(JobBus.Job("asks", definition));
        await Fleet.EventuallyAsync(async () => (await _bus.ResultsAsync()).Count == 1);
        Assert.Equal("interrupted", (await _bus.ResultsAsync())[0].Status);
        await AssertNothingIsLeftAsync();

        using var http = new HttpClient { BaseAddress = new Uri(Fleet.Url(_fleet.Workers[0])) };
        using var body = new StringContent("""{"answer": {"decision": "approve"}}""", Encoding.UTF8, "application/json");
        var answered = await http.PostAsync(new Uri("/threads/asks/resume", UriKind.Relative), body, Cancel);
        Assert.True((int)answered.StatusCode == 202, await answered.Content.ReadAsStringAsync(Cancel));

        await Fleet.EventuallyAsync(async () => (await _bus.ResultsAsync()).Count == 2);
        Assert.Equal("completed", (await _bus.ResultsAsync())[1].Status);
        Assert.Equal(1, _fleet.Tool.Calls.Values.Sum());
    }

    [Fact]
    public async Task The_command_sends_a_job_over_nats_and_follows_it()
    {
        var definition = _fleet.Program.WriteFile("agent.json", Counting());
        _fleet.Program.Variables["POSTGRES_HOST"] = "";
        await _bus.ReadAsync(BusStream.Results); // a command makes no streams
        await Fleet.EventuallyAsync(() => Task.FromResult(_fleet.Workers[0].Lines.Any(line => line.Contains("\"event_id\":1203", StringComparison.Ordinal))));

        var waited = await _fleet.Program.RunAsync("submit", definition, "--input", "go", "--run-id", "cli", "--wait");

        Assert.True(waited.ExitCode == 0, waited.Error);
        Assert.StartsWith("the tool said: counted", waited.Output, StringComparison.Ordinal);
        var again = await _fleet.Program.RunAsync("submit", definition, "--input", "go", "--run-id", "cli", "--wait");
        Assert.Equal((0, waited.Output), (again.ExitCode, again.Output));
        var other = await _fleet.Program.RunAsync("submit", definition, "--input", "something else", "--run-id", "cli", "--wait");
        Assert.Equal((2, ""), (other.ExitCode, other.Output));
        Assert.Contains("[job_conflict]", other.Error, StringComparison.Ordinal);
        Assert.Equal(2, (await _fleet.Program.RunAsync("submit", Path.Combine(AgentExecutorProgram.Root, "README.md"), "--input", "x")).ExitCode);
        Assert.Contains("--input", (await _fleet.Program.RunAsync("submit", definition)).Error, StringComparison.Ordinal);
        var whole = _fleet.Program.WriteFile("job.json", JobBus.Job("whole", Counting()));
        var overHttp = await _fleet.Program.RunAsync("submit", whole, "--to", Fleet.Url(_fleet.Workers[0]), "--wait");
        Assert.True(overHttp.ExitCode == 0, overHttp.Error);
        Assert.StartsWith("the tool said: counted", overHttp.Output, StringComparison.Ordinal);
    }

    /// <summary>Two workers, jobs of a second: each takes its part.</summary>
    [Fact]
    public async Task Replicas_share_the_load()
    {
        const int Jobs = 60;
        _fleet.StartWorker();
        await Fleet.EventuallyAsync(() => Task.FromResult(_fleet.Workers.All(worker => worker.Lines.Any(line => line.Contains("\"event_id\":1203", StringComparison.Ordinal)))));
        for (var i = 0; i < Jobs; i++)
        {
            await _bus.SendAsync(JobBus.Job($"j{i}", Counting(delayMs: 300)));
        }

        await Fleet.EventuallyAsync(async () => (await _bus.ResultsAsync()).Count == Jobs);

        Assert.All(_fleet.Workers, worker => Assert.InRange(worker.Lines.Count(line => line.Contains("\"event_id\":1003", StringComparison.Ordinal)), Jobs / 4, Jobs * 3 / 4));
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string Counting(int delayMs = 0) => CrashDefinition.Once(_fleet.Tool.Url, "idempotent")
        .Replace("{\"text\"", $"{{\"delay_ms\": {delayMs}, \"text\"", StringComparison.Ordinal);

    /// <summary>No message is in anybody's hands or waits.</summary>
    private async Task AssertNothingIsLeftAsync() => await Fleet.EventuallyAsync(async () => await ConsumerState.LeftAsync(_nats) == 0);
}
