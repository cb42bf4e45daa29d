using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Tests.Jobs;

/// <summary>Tools that are executed elsewhere, with real workers on the stores in memory.</summary>
public sealed class EventToolTests : IAsyncLifetime
{
    private const string Pays = """
        [{"tool_calls": [{"id": "c1", "name": "pay", "args": {"amount": 5}}]}, {"text": "{{last}}"}]
        """;

    private readonly JobService _service = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task The_call_leaves_as_one_message_and_the_result_continues_the_run()
    {
        await StartAsync();

        var request = Assert.Single(await _service.RequestsAsync(1));

        Assert.Equal("dev.my-platform.agent.tool.requested", request.TextProperty("type"));
        var data = request.GetProperty("data");
        Assert.Equal(("j", "pay", "c1"), (data.TextProperty("thread_id"), data.TextProperty("tool"), data.TextProperty("tool_call_id")));
        Assert.Equal(5, data.GetProperty("arguments").GetProperty("amount").GetInt32());
        Assert.Equal(request.TextProperty("idempotencykey"), data.TextProperty("idempotency_key"));
        Assert.True(data.GetProperty("deadline").GetDateTimeOffset() > _service.Time.GetUtcNow());
        await _service.HasStatusAsync("j", RunStatus.Waiting);
        Assert.Empty(await _service.ResultsAsync());

        await SendResultAsync(data, """{"status": "success", "output": {"receipt": 17}}""");

        Assert.Equal("""{"receipt":17}""", await _service.OutputAsync("j"));
        Assert.Single(_service.Events.Of<RunEvent.ToolStarted>());
        Assert.Single(_service.Events.Of<RunEvent.ToolEnded>());
        Assert.Single(_service.Events.Of<RunEvent.Ended>());
        Assert.Empty(_service.Events.Of<RunEvent.Interrupted>());
        Assert.Equal(1, (await _service.Store.FindAsync("j", JobService.Cancel))!.Usage.ToolCalls);
    }

    [Fact]
    public async Task The_message_of_the_job_is_acknowledged_once_the_call_is_announced()
    {
        await StartAsync();

        await _service.RequestsAsync(1);

        await _service.HasSettledAsync(1);
        Assert.Equal(RunStatus.Waiting, await _service.StatusAsync("j"));
    }

    [Fact]
    public async Task An_error_reaches_the_model()
    {
        await StartAsync();
        var data = (await _service.RequestsAsync(1))[0].GetProperty("data");

        await SendResultAsync(data, """{"status": "error", "error": "the card was declined"}""");

        Assert.Equal("Error: pay failed: the card was declined", await _service.OutputAsync("j"));
    }

    [Fact]
    public async Task The_same_result_twice_is_accepted_and_a_different_one_is_a_dead_letter_also_later()
    {
        await StartAsync();
        var data = (await _service.RequestsAsync(1))[0].GetProperty("data");
        await SendResultAsync(data, """{"status": "success", "output": 1}""");
        await SendResultAsync(data, """{"status": "success", "output": 1}""");
        await SendResultAsync(data, """{"status": "success", "output": 2}""");

        Assert.Equal([FaultCodes.AnswerConflict], await _service.DeadLetterCodesAsync(1));
        Assert.Equal("1", await _service.OutputAsync("j"));
        var answers = _service.Control.Answers;
        Assert.False(
            await answers.CompleteCallAsync("j", data.TextProperty("call_id")!, Json("""{"status":"success","output":1}"""), Cancel)
        );
        var conflict = await Assert.ThrowsAsync<FaultException>(() =>
            answers.CompleteCallAsync("j", data.TextProperty("call_id")!, Json("""{"status":"error"}"""), Cancel)
        );
        Assert.Equal(FaultCodes.AnswerConflict, conflict.Code);
    }

    [Fact]
    public async Task A_result_that_arrives_while_no_worker_is_alive_is_used_by_the_next_one()
    {
        var worker = await StartAsync();
        var data = (await _service.RequestsAsync(1))[0].GetProperty("data");
        await _service.HasStatusAsync("j", RunStatus.Waiting);
        await _service.StopAsync(worker);

        await SendResultAsync(data, """{"status": "success", "output": "late"}""");
        _service.StartWorker();

        Assert.Equal("late", await _service.OutputAsync("j"));
        Assert.Single(await _service.RequestsAsync(1));
    }

    [Fact]
    public async Task A_recorded_result_whose_process_died_is_passed_to_the_run_by_another()
    {
        var worker = await StartAsync();
        var data = (await _service.RequestsAsync(1))[0].GetProperty("data");
        await _service.HasStatusAsync("j", RunStatus.Waiting);
        await _service.StopAsync(worker);
        var id = $"{data.TextProperty("call_id")}:call";
        var stored = Assert.Single(await _service.Store.FindAsync("j", [id], Cancel));
        await _service.Store.RecordAsync([stored with { Answer = """{"status":"success","output":"kept"}"""u8.ToArray() }], Cancel);

        _service.StartWorker();

        Assert.Equal("kept", await _service.OutputAsync("j"));
    }

    [Fact]
    public async Task The_deadline_gives_the_model_an_error_and_a_late_result_is_a_dead_letter()
    {
        await StartAsync(""", "timeout_seconds": 20""");
        var data = (await _service.RequestsAsync(1))[0].GetProperty("data");

        Assert.Contains("no result arrived within 20 s", await _service.OutputAsync("j"), StringComparison.Ordinal);
        await SendResultAsync(data, """{"status": "success", "output": 1}""");

        Assert.Equal([FaultCodes.AnswerConflict], await _service.DeadLetterCodesAsync(1));
    }

    [Fact]
    public async Task Malformed_and_unknown_results_become_dead_letters()
    {
        await StartAsync();
        var data = (await _service.RequestsAsync(1))[0].GetProperty("data");
        await _service.SendRawAsync("agent.tool.results", "{");
        await SendResultAsync(data, """{"status": "done"}""");
        await _service.SendEventAsync(
            "agent.tool.results",
            EventTypes.ToolCompleted,
            """{"thread_id": "j", "call_id": "nothing", "status": "success"}"""
        );

        var codes = await _service.DeadLetterCodesAsync(3);
        await SendResultAsync(data, """{"status": "success", "output": "fine"}""");

        Assert.Equal([FaultCodes.InvalidAnswer, FaultCodes.InvalidEvent, FaultCodes.UnknownToolCall], codes.Order());
        Assert.Equal("fine", await _service.OutputAsync("j"));
    }

    [Fact]
    public async Task Calls_in_one_turn_leave_together_and_return_in_any_order_beside_a_question()
    {
        const string Three = """
            [{"tool_calls": [{"id": "c1", "name": "pay", "args": {"amount": 1}}, {"id": "c2", "name": "pay", "args": {"amount": 2}},
                             {"id": "c3", "name": "ask_person", "args": {"question": "Sure?"}}]},
             {"text": "{{result:c1}} {{result:c2}} {{result:c3}}"}]
            """;
        await StartAsync(script: Three, more: ", \"tools\": [\"pay\", \"ask_person\"]");
        var requests = (await _service.RequestsAsync(2)).ConvertAll(it => it.GetProperty("data"));
        var question = await _service.QuestionAsync();
        Assert.Equal("Sure?", question.GetProperty("value").TextProperty("text"));
        foreach (var data in requests.OrderByDescending(it => it.GetProperty("arguments").GetProperty("amount").GetInt32()))
        {
            await SendResultAsync(
                data,
                $$"""{"status": "success", "output": "paid {{data.GetProperty("arguments").GetProperty("amount")}}"}"""
            );
        }

        await _service.SendEventAsync(
            "agent.resume.x",
            EventTypes.Resume,
            $$"""
            {"thread_id": "j", "answers": [{"interrupt_id": "{{question.TextProperty("id")}}", "decision": "respond", "value": "yes"}]}
            """
        );

        Assert.Equal("paid 1 paid 2 yes", await _service.OutputAsync("j"));
        Assert.Equal(2, (await _service.RequestsAsync(2)).Count);
    }

    [Fact]
    public async Task A_call_in_a_sub_agent_leaves_and_returns_in_the_same_way()
    {
        const string Definition = """
            {"tool_definitions": [{"name": "pay", "runtime": {"type": "event"}}],
             "nodes": [{"id": "boss", "type": "orchestrator", "config": {"model": {"provider": "scripted", "model": "m", "script": [
                          {"tool_calls": [{"id": "t1", "name": "task", "args": {"description": "pay", "subagent_type": "payer"}}]},
                          {"text": "{{last}}"}]}}},
                       {"id": "payer", "type": "specialist", "config": {"description": "pays", "tools": ["pay"],
                          "model": {"provider": "scripted", "model": "m", "script": [
                          {"tool_calls": [{"id": "c1", "name": "pay", "args": {}}]}, {"text": "got {{last}}"}]}}}]}
            """;
        _service.StartWorker();
        await _service.SendAsync(
            $$"""{"trace_id": "t", "job_id": "j", "input_payload": {"user_request": "go"}, "agent_definition": {{Definition}}}"""
        );
        var data = Assert.Single(await _service.RequestsAsync(1)).GetProperty("data");

        await SendResultAsync(data, """{"status": "success", "output": "money"}""");

        Assert.Equal("got money", await _service.OutputAsync("j"));
        Assert.Single(await _service.RequestsAsync(1));
    }

    [Fact]
    public async Task A_failed_tool_node_calls_again_when_the_run_is_resumed()
    {
        const string Definition = """
            {"tool_definitions": [{"name": "pay", "runtime": {"type": "event"}}],
             "nodes": [{"id": "p", "type": "tool", "tool": "pay", "output": "paid"},
                       {"id": "done", "type": "agent", "input": "{{ state.paid }}",
                        "model": {"provider": "scripted", "model": "m", "script": [{"text": "{{last}}"}]}}],
             "edges": [{"from": "START", "to": "p"}, {"from": "p", "to": "done"}, {"from": "done", "to": "END"}]}
            """;
        _service.StartWorker();
        await _service.SendAsync(
            $$"""{"trace_id": "t", "job_id": "j", "input_payload": {"user_request": "go"}, "agent_definition": {{Definition}}}"""
        );
        await SendResultAsync((await _service.RequestsAsync(1))[0].GetProperty("data"), """{"status": "error", "error": "closed"}""");
        await _service.HasStatusAsync("j", RunStatus.Failed);

        await _service.Control.AnswerAsync("j", new Dictionary<string, JsonElement>(), Cancel);
        var second = (await _service.RequestsAsync(2)).Single(it => it.GetProperty("data").TextProperty("call_id")!.Contains('-'));
        Assert.Equal(
            (await _service.RequestsAsync(2))[0].GetProperty("data").TextProperty("idempotency_key"),
            second.GetProperty("data").TextProperty("idempotency_key")
        );
        await SendResultAsync(second.GetProperty("data"), """{"status": "success", "output": "open"}""");

        await Eventually.True(async () =>
            (await _service.ResultsAsync()).Any(it =>
                it.Status == "completed" && it.Data.GetProperty("result").TextProperty("output") == "open"
            )
        );
    }

    private static CancellationToken Cancel => JobService.Cancel;

    private static JsonElement Json(string json) => JsonElement.Parse(json);

    private async Task<RunningWorker> StartAsync(string runtime = "", string script = Pays, string more = ", \"tools\": [\"pay\"]")
    {
        var worker = _service.StartWorker();
        var tool = $$$"""{"name": "pay", "description": "pays", "runtime": {"type": "event"{{{runtime}}}}}""";
        var definition = $$"""{"tool_definitions": [{{tool}}], {{JobService.Definition(script, more).Trim()[1..]}}""";
        await _service.SendAsync(
            $$"""{"trace_id": "t", "job_id": "j", "input_payload": {"user_request": "go"}, "agent_definition": {{definition}}}"""
        );
        return worker;
    }

    private ValueTask SendResultAsync(JsonElement request, string result) =>
        _service.SendEventAsync(
            "agent.tool.results",
            EventTypes.ToolCompleted,
            $$"""{"thread_id": "{{request.TextProperty("thread_id")}}", "call_id": "{{request.TextProperty("call_id")}}", {{result[1..]}}"""
        );
}
