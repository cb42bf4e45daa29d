using System.Text.Json;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Api;

public sealed class WatchTests(ApiFixture api) : IDisposable
{
    private readonly AgentExecutorProgram _program = new();

    [Fact]
    public async Task A_running_job_is_watched_to_its_end()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data(id, CountingAgents.Once(tool.Url)));
        var plain = Watch(server, id);
        var events = Watch(server, id, "--events");
        await ReadUntilAsync(events, "on_tool_start");

        gate.SetResult();

        var (shown, received) = (await plain.WaitAsync(), await events.WaitAsync());
        Assert.True((shown.ExitCode, received.ExitCode) == (0, 0), shown.Error + received.Error);
        Assert.StartsWith("the tool said: counted", shown.Output, StringComparison.Ordinal);
        Assert.Contains("lead: -> count(who=\"me\")", shown.Error, StringComparison.Ordinal);
        Assert.Contains("lead: <- count (", shown.Error, StringComparison.Ordinal);
        Assert.Contains($"thread {id} completed: 3 supersteps, 2 model calls, 1 tool calls", shown.Error, StringComparison.Ordinal);
        Assert.Equal(await LoggedAsync(server, id), Logged(received.Output));
    }

    [Fact]
    public async Task An_ended_thread_can_be_watched_from_its_first_event_or_after_its_last()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", JobRequests.Data(id));

        var (all, none, events) = (
            await Watch(server, id).WaitAsync(),
            await Watch(server, id, "--after", "1000").WaitAsync(),
            await Watch(server, id, "--after", "1000", "--events", "jsonl").WaitAsync()
        );

        Assert.Equal((0, "You said hello.\n"), (all.ExitCode, all.Output));
        Assert.Equal((0, "You said hello.\n"), (none.ExitCode, none.Output));
        Assert.Equal((0, ""), (events.ExitCode, events.Output));
        Assert.Contains($"thread {id} completed: 1 supersteps", none.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_workflow_without_messages_prints_its_state()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        await server.PostAsync("/", JobRequests.Data(id, JobRequests.Asking(tool.Url)));
        Assert.Equal(202, (int)(await server.PostAsync($"/threads/{id}/resume", """{"answer": "yes"}""")).Status);

        var result = await Watch(server, id).WaitAsync();

        Assert.True(result.ExitCode == 0, result.Error); // not 3 because of the earlier question
        Assert.Contains("answer: \"yes\"", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("waiting for", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watching_an_interrupted_run_prints_the_question_and_how_to_answer()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", JobRequests.Data(id, JobRequests.Asking("http://127.0.0.1:9/")));

        var result = await Watch(server, id).WaitAsync();

        Assert.Equal((3, ""), (result.ExitCode, result.Output));
        Assert.Contains("waiting for an answer: ", result.Error, StringComparison.Ordinal);
        Assert.Contains("Go on?", result.Error, StringComparison.Ordinal);
        Assert.Contains(
            $"agent-executor resume {id} --answer ANSWER --to {server.Http.BaseAddress!.ToString().TrimEnd('/')}",
            result.Error,
            StringComparison.Ordinal
        );
        Assert.Equal((3, ""), ((await Watch(server, id, "--after", "1000").WaitAsync()).ExitCode, ""));
    }

    [Fact]
    public async Task Failed_and_cancelled_runs_end_with_their_codes()
    {
        var (server, failed, cancelled) = (await api.ServerAsync(), api.Id(), api.Id());
        await server.PostAsync("/", JobRequests.Data(failed, JobRequests.Failing));
        await server.PostAsync("/", JobRequests.Data(cancelled, JobRequests.Asking("http://127.0.0.1:9/")));
        await server.PostAsync($"/threads/{cancelled}/cancel");

        var (first, second) = (await Watch(server, failed).WaitAsync(), await Watch(server, cancelled).WaitAsync());

        Assert.Equal((1, 4), (first.ExitCode, second.ExitCode));
        Assert.Contains("no such thing [model_invalid_request]", first.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_thread_that_cannot_be_watched_is_reported_at_once()
    {
        var server = await api.ServerAsync();

        var unknown = await Watch(server, "nobody").WaitAsync();
        var nowhere = await _program.RunAsync("watch", "t", "--to", "http://127.0.0.1:9");
        var bus = await _program.RunAsync("watch", "t", "--to", "nats://127.0.0.1:9");

        Assert.Equal((2, 5, 2), (unknown.ExitCode, nowhere.ExitCode, bus.ExitCode));
        Assert.Contains("there is no thread 'nobody' [unknown_thread]", unknown.Error, StringComparison.Ordinal);
        Assert.Contains("no service answers at http://127.0.0.1:9", nowhere.Error, StringComparison.Ordinal);
        Assert.Contains("hint: start one with: agent-executor serve", nowhere.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_watcher_that_leaves_does_not_end_the_run()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data(id, CountingAgents.Once(tool.Url)));
        var watch = Watch(server, id, "--events");
        await ReadUntilAsync(watch, "on_tool_start");

        await watch.SignalAsync("INT");

        var left = await watch.WaitAsync();
        Assert.Equal(130, left.ExitCode);
        Assert.Matches(
            $"^thread {id} continues; to watch it again: agent-executor watch {id} --to http://[^ ]+ --events --after [1-9][0-9]*\n$",
            left.Error
        );
        gate.SetResult();
        await server.UntilAsync(id, "completed");
    }

    [Fact]
    public async Task No_event_is_lost_when_the_service_is_killed_and_started_again()
    {
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await using var server = await ApiServer.StartAsync();
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("t", CountingAgents.Team(tool.Url)));
        var watch = Watch(server, "t", "--events");
        await ReadUntilAsync(watch, "\"name\":\"count\"");

        await server.Process.KillAsync();
        gate.SetResult();
        await watch.UntilErrorAsync("retrying until the service answers");
        await server.StartAgainAsync();

        var result = await watch.WaitAsync();
        Assert.True(result.ExitCode == 0, result.Error);
        var numbers = Lines(result.Output).Select(line => JsonElement.Parse(line).GetProperty("seq").GetInt64()).ToList();
        Assert.Equal(numbers.Distinct().Order(), numbers);
        var (log, seen) = ((await LoggedAsync(server, "t")).ToList(), Logged(result.Output).ToList());
        Assert.Equal(log, seen.Where(log.Contains));
        // These were sent but not stored before the kill.
        Assert.All(seen.Where(line => !log.Contains(line)), line => Assert.Contains("\"on_tool_start\"", line, StringComparison.Ordinal));
        Assert.Single(Lines(result.Error), line => line.Contains("retrying until the service answers", StringComparison.Ordinal));
        Assert.Single(Lines(result.Error), line => line.EndsWith(" is reachable again", StringComparison.Ordinal));
    }

    public void Dispose() => _program.Dispose();

    private RunningProgram Watch(ApiServer server, string id, params string[] more) =>
        _program.Start(["watch", id, "--to", server.Http.BaseAddress!.ToString().TrimEnd('/'), .. more]);

    private static async Task ReadUntilAsync(RunningProgram watch, string part)
    {
        while (
            !(await watch.ReadLineAsync() ?? throw new InvalidOperationException((await watch.WaitAsync()).Error)).Contains(
                part,
                StringComparison.Ordinal
            )
        )
        {
            // skip
        }
    }

    /// <summary>The stored events of the thread, as the service sends them.</summary>
    private static async Task<IEnumerable<string>> LoggedAsync(ApiServer server, string id) =>
        Logged(
            string.Join(
                '\n',
                Lines((await server.GetAsync($"/threads/{id}/events")).Body)
                    .Where(line => line.StartsWith("data: ", StringComparison.Ordinal))
                    .Select(line => line[6..])
            )
        );

    private static IEnumerable<string> Logged(string lines) =>
        [.. Lines(lines).Where(line => !line.Contains("\"on_llm_stream\"", StringComparison.Ordinal))];

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
