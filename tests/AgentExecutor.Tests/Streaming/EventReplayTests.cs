using System.Text.Json;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Tests.Streaming;

/// <summary>The events that are recreated from the log equal the published ones byte for byte.</summary>
public sealed class EventReplayTests
{
    private const string Team = """
        {"nodes": [
          {"id": "lead", "type": "orchestrator", "config": {"interrupt_on": {"write_todos": true},
           "model": {"provider": "scripted", "model": "m", "script": [
            {"text": "ünïcödé \"quoted\"\n\tand a long call", "reasoning": "hm", "tool_calls": [
               {"id": "a", "name": "task", "args": {"subagent_type": "helper", "description": "go"}},
               {"id": "w", "name": "write_file", "args": {"file_path": "/long.md", "content": "LONG"}},
               {"id": "e", "name": "read_file", "args": {"file_path": "/none"}}]},
            {"tool_calls": [{"id": "r", "name": "read_file", "args": {"file_path": "/long.md"}},
             {"id": "x", "name": "no_such_tool", "args": {}}]},
            {"tool_calls": [{"id": "t", "name": "write_todos", "args": {"todos": [{"content": "one", "status": "completed"}]}}]},
            {"text": "done: {{result:a}}", "chunk_size": 3}]}}},
          {"id": "helper", "type": "specialist", "config": {"description": "helps",
           "model": {"provider": "scripted", "model": "m", "script": [
            {"tool_calls": [{"id": "h", "name": "write_file", "args": {"file_path": "/h.md", "content": "h"}}]}, {"text": "helped"}]}}}]}
        """;

    private const string Workflow = """
        {"nodes": [
           {"id": "ask", "type": "human", "config": {"question": "Go on?", "output": "answer"}},
           {"id": "a", "type": "transform", "config": {"set": {"x": "1 + 1"}}},
           {"id": "b", "type": "transform", "config": {"set": {"y": "x + 1"}}}],
         "edges": [{"from": "START", "to": "a"}, {"from": "a", "to": "b"}, {"from": "b", "to": "ask"}, {"from": "ask", "to": "END"}]}
        """;

    private readonly InMemoryCheckpointStore _store = new();

    [Theory]
    [InlineData(StreamState.Updates)]
    [InlineData(StreamState.Values)]
    public async Task The_events_of_a_run_with_subagents_files_failures_and_an_approval_are_recreated(StreamState form)
    {
        await using var process = new LiveProcess(_store, settings: new StreamSettings { State = form });
        var definition = Team.Replace(
            "LONG",
            string.Join("\\n", Enumerable.Range(0, 900).Select(i => $"line {i} ä🦉")),
            StringComparison.Ordinal
        );
        var asked = await process.StartAsync(definition);
        Assert.Equal(RunStatus.Interrupted, asked.Run.Status);
        var done = await process.ResumeAsync("t", (asked.Interrupts[0].Id, "\"approve\""));
        Assert.Equal((RunStatus.Completed, "done: helped"), (done.Run.Status, done.Output));

        await AssertReplayedAsync(process);
        Assert.Contains(process.Published.Logged.Lines(), line => line.Contains("\"truncated\":true", StringComparison.Ordinal));
        Assert.Contains(process.Published.Logged.Lines(), line => line.Contains("\"ns\":\"tools:", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(StreamState.Updates)]
    [InlineData(StreamState.Values)]
    public async Task The_events_of_a_run_after_a_failed_superstep_are_recreated(StreamState form)
    {
        await using var process = new LiveProcess(_store, settings: new StreamSettings { State = form });
        const string Failing = """
            {"nodes": [{"id": "a", "type": "orchestrator", "config": {"model": {"provider": "scripted", "model": "m", "script": [
               {"text": "first", "tool_calls": [{"id": "1", "name": "ls", "args": {}}]},
               {"when": {"user_contains": "go"}, "error": {"class": "authentication", "message": "no key"}}]}}}]}
            """;
        Assert.Equal(RunStatus.Failed, (await process.StartAsync(Failing)).Run.Status);
        Assert.Equal(RunStatus.Failed, (await process.StartAsync(Failing, runId: "r2")).Run.Status);

        await AssertReplayedAsync(process);
    }

    [Fact]
    public async Task The_event_of_a_pruned_checkpoint_has_no_channels()
    {
        await using var process = new LiveProcess(_store);
        await process.StartAsync(
            Team.Replace("LONG", "x", StringComparison.Ordinal)
                .Replace("\"interrupt_on\": {\"write_todos\": true}, ", "", StringComparison.Ordinal)
        );
        await _store.PruneAsync("t", 1, TestContext.Current.CancellationToken);

        var replayed = await ReplayAsync(process);

        Assert.Equal(
            process.Published.Logged.Select(value => (value.Sequence, value.Type)),
            replayed.Select(value => (value.Sequence, value.Type))
        );
        Assert.Equal(
            process.Published.Logged.Last(value => value.Type == EventKinds.StateUpdate).Json.ToArray(),
            replayed.Last(value => value.Type == EventKinds.StateUpdate).Json.ToArray()
        );
    }

    [Fact]
    public async Task Every_update_contains_the_whole_state_if_configured()
    {
        await using var process = new LiveProcess(_store, settings: new StreamSettings { State = StreamState.Values });
        await process.StartAsync(
            """
            {"nodes": [{"id": "a", "type": "orchestrator",
             "config": {"model": {"provider": "scripted", "model": "m",
             "script": [{"tool_calls": [{"id": "1", "name": "ls", "args": {}}]}, {"text": "done"}]}}}]}
            """
        );

        var counts = process
            .Published.All.Where(value => value.Type == EventKinds.StateUpdate)
            .Select(value => JsonElement.Parse(value.Json.Span).GetProperty("data").GetProperty("messages").GetArrayLength());

        Assert.Equal([1, 2, 3, 4], counts);
    }

    private async Task AssertReplayedAsync(LiveProcess process) =>
        Assert.Equal(process.Published.Logged.Lines(), (await ReplayAsync(process)).Lines());

    private async Task<List<StreamEvent>> ReplayAsync(LiveProcess process)
    {
        var page = await _store.ReadAsync("t", 0, 1000, TestContext.Current.CancellationToken);
        return (
            await process.Replay.ReadAsync("t", page!, 0, new Dictionary<long, StreamEvent>(), TestContext.Current.CancellationToken)
        ).Events;
    }
}
