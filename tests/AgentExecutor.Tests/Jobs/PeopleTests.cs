using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Tests.Jobs;

/// <summary>Runs that wait for people: questions, answers, deadlines and escalations, with real workers on the stores in memory.</summary>
public sealed class PeopleTests : IAsyncLifetime
{
    private const string Approval = """
        [{"tool_calls": [{"id": "c1", "name": "write_file", "args": {"file_path": "/a.txt", "content": "one"}}]},
         {"text": "{{last}}"}]
        """;

    private readonly JobService _service = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task A_question_has_one_id_in_the_cloud_event_and_the_live_event()
    {
        await StartAsync("""{"allowed": ["approve", "reject"], "recipient": "ops@example.com", "timeout_seconds": 86400}""");

        var question = await _service.QuestionAsync();

        var live = Assert.Single(Assert.Single(_service.Events.Of<RunEvent.Interrupted>()).Interrupts);
        Assert.Equal(live.Id, question.TextProperty("id"));
        Assert.Equal("ops@example.com", question.TextProperty("recipient"));
        Assert.Equal("reject", question.GetProperty("on_timeout").TextProperty("decision"));
        Assert.Equal("write_file", question.GetProperty("value").TextProperty("tool"));
        Assert.NotEmpty(question.GetProperty("value").TextProperty("text")!);
        Assert.Equal(
            ["approve", "reject"],
            question.GetProperty("value").GetProperty("allowed").EnumerateArray().Select(it => it.GetString())
        );
        Assert.Equal(
            TimeSpan.FromDays(1),
            question.GetProperty("deadline").GetDateTimeOffset() - question.GetProperty("asked_at").GetDateTimeOffset()
        );
        Assert.Equal(RunStatus.Interrupted, await _service.StatusAsync("j"));
    }

    [Theory]
    [InlineData("""{"decision": "approve"}""", "wrote")]
    [InlineData("""{"decision": "edit", "arguments": {"file_path": "/b.txt", "content": "two"}}""", "/b.txt")]
    [InlineData("""{"decision": "reject", "message": "not today"}""", "not today")]
    [InlineData("""{"decision": "respond", "value": "I did it by hand"}""", "I did it by hand")]
    public async Task Each_decision_reaches_the_model(string answer, string expected)
    {
        await StartAsync("true");
        var id = (await _service.QuestionAsync()).TextProperty("id");

        await _service.SendEventAsync("agent.resume.people", EventTypes.Resume, Answers(id, answer));

        Assert.Contains(expected, await _service.OutputAsync("j"), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task The_same_answer_twice_is_accepted_and_a_different_one_is_a_conflict_also_later()
    {
        await StartAsync("true");
        var id = (await _service.QuestionAsync()).TextProperty("id")!;
        await AnswerAsync(id, """{"decision": "approve"}""");
        await AnswerAsync(id, """{"decision": "approve"}""");
        await Assert.ThrowsAsync<FaultException>(() => AnswerAsync(id, """{"decision": "reject"}"""));
        await _service.OutputAsync("j");

        await AnswerAsync(id, """{  "decision":"approve"}""");
        var conflict = await Assert.ThrowsAsync<FaultException>(() => AnswerAsync(id, """{"decision": "reject"}"""));
        Assert.Equal(FaultCodes.AnswerConflict, conflict.Code);
        await _service.SendEventAsync("agent.resume.people", EventTypes.Resume, Answers(id, """{"decision": "approve"}"""));
        await _service.SendEventAsync("agent.resume.people", EventTypes.Resume, Answers(id, """{"decision": "reject"}"""));

        Assert.Equal([FaultCodes.AnswerConflict], await _service.DeadLetterCodesAsync(1));
    }

    [Fact]
    public async Task Malformed_answers_become_dead_letters_and_stop_nothing()
    {
        await StartAsync("""{"allowed": ["approve"]}""");
        var id = (await _service.QuestionAsync()).TextProperty("id");
        await _service.SendRawAsync("agent.resume.people", "no json");
        await _service.SendEventAsync("agent.resume.people", "other.type", "{}");
        await _service.SendEventAsync("agent.resume.people", EventTypes.Resume, """{"thread_id": "j", "answers": []}""");
        await _service.SendEventAsync("agent.resume.people", EventTypes.Resume, Answers("nothing", """{"decision": "approve"}"""));
        await _service.SendEventAsync("agent.resume.people", EventTypes.Resume, Answers(id, """{"decision": "reject"}"""));
        await _service.SendEventAsync(
            "agent.resume.people",
            EventTypes.Resume,
            """{"thread_id": "nobody", "answers": [{"interrupt_id": "x", "decision": "approve"}]}"""
        );

        var codes = await _service.DeadLetterCodesAsync(6);
        await _service.SendEventAsync("agent.resume.people", EventTypes.Resume, Answers(id, """{"decision": "approve"}"""));

        Assert.Equal(
            [
                FaultCodes.InvalidAnswer,
                FaultCodes.InvalidAnswer,
                FaultCodes.InvalidEvent,
                FaultCodes.InvalidEvent,
                FaultCodes.UnknownInterrupt,
                FaultCodes.UnknownThread,
            ],
            codes.Order()
        );
        Assert.Contains("wrote", await _service.OutputAsync("j"), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Questions_are_answered_in_any_order_and_one_by_one()
    {
        const string Two = """
            [{"tool_calls": [{"id": "c1", "name": "write_file", "args": {"file_path": "/a.txt", "content": "one"}},
                             {"id": "c2", "name": "write_file", "args": {"file_path": "/b.txt", "content": "two"}}]},
             {"text": "finished"}]
            """;
        await StartAsync("true", Two);
        var ids = (await _service.QuestionsAsync(1))[0]
            .Data.GetProperty("interrupts")
            .EnumerateArray()
            .Select(it => it.TextProperty("id")!);
        var (first, second) = (ids.First(), ids.Last());

        await AnswerAsync(second, """{"decision": "approve"}""");
        var again = (await _service.QuestionsAsync(2))[1]
            .Data.GetProperty("interrupts")
            .EnumerateArray()
            .Select(it => it.TextProperty("id"));
        Assert.Equal([first], again);
        await AnswerAsync(first, """{"decision": "reject"}""");

        Assert.Equal("finished", await _service.OutputAsync("j"));
    }

    [Fact]
    public async Task Answers_that_arrive_at_the_same_time_are_all_used()
    {
        var calls = string.Join(
            ", ",
            Enumerable.Range(0, 8).Select(i => $$$"""{"id": "c{{{i}}}", "name": "ask_person", "args": {"question": "q{{{i}}}"}}""")
        );
        await StartAsync("true", $$"""[{"tool_calls": [{{calls}}]}, {"text": "finished"}]""", tools: ", \"tools\": [\"ask_person\"]");
        var ids = (await _service.QuestionsAsync(1))[0]
            .Data.GetProperty("interrupts")
            .EnumerateArray()
            .Select(it => it.TextProperty("id")!);

        await Task.WhenAll(ids.ToList().Select(id => AnswerAsync(id, """{"decision": "respond", "value": 1}""")));

        Assert.Equal("finished", await _service.OutputAsync("j"));
    }

    [Fact]
    public async Task An_approval_of_other_arguments_asks_again()
    {
        await StartAsync("true");
        var first = (await _service.QuestionAsync()).TextProperty("id")!;

        await AnswerAsync(first, """{"decision": "approve", "arguments": {"file_path": "/etc/passwd", "content": "one"}}""");

        var again = Assert.Single((await _service.QuestionsAsync(2))[1].Data.GetProperty("interrupts").EnumerateArray());
        Assert.NotEqual(first, again.TextProperty("id"));
        Assert.Contains("not those of the call", again.GetProperty("value").TextProperty("note"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"on_timeout\": \"approve\",", "wrote")]
    [InlineData("", "Nobody answered within 20 s.")]
    [InlineData("\"on_timeout\": {\"decision\": \"respond\", \"value\": \"by default\"},", "by default")]
    [InlineData("\"on_timeout\": \"fail\",", "failed: question_timeout")]
    public async Task The_default_answer_is_used_at_the_deadline(string onTimeout, string expected)
    {
        await StartAsync($$"""{ {{onTimeout}} "timeout_seconds": 20}""");

        Assert.Contains(expected, await _service.OutputAsync("j"), StringComparison.OrdinalIgnoreCase);
        var question = await _service.QuestionAsync();
        var late = await Assert.ThrowsAsync<FaultException>(() =>
            AnswerAsync(question.TextProperty("id")!, """{"decision": "edit", "arguments": {}}""")
        );
        Assert.Equal(FaultCodes.AnswerConflict, late.Code);
    }

    [Fact]
    public async Task A_question_escalates_once_per_step_whatever_the_number_of_workers()
    {
        _service.StartWorker();
        _service.StartWorker();
        await StartAsync(
            """
            {"recipient": "team", "timeout_seconds": 120, "on_timeout": "approve",
             "escalate": [{"after_seconds": 20, "recipient": "lead"}, {"after_seconds": 60, "recipient": "boss"}]}
            """
        );

        Assert.Contains("wrote", await _service.OutputAsync("j"), StringComparison.OrdinalIgnoreCase);

        var events = await _service.QuestionsAsync(3);
        Assert.Equal(3, events.Count);
        Assert.Equal(3, events.Select(it => it.EventId).Distinct().Count());
        Assert.Equal(
            ["team", "lead", "boss"],
            events.Select(it => Assert.Single(it.Data.GetProperty("interrupts").EnumerateArray()).TextProperty("recipient"))
        );
        Assert.Equal([1, 2], events.Skip(1).Select(it => it.Data.GetProperty("escalation").GetInt32()));
        Assert.Single(events.Select(it => it.Data.GetProperty("interrupts")[0].TextProperty("id")).Distinct());
    }

    [Fact]
    public async Task An_agent_asks_a_person_and_the_answer_must_be_one_of_the_options()
    {
        const string Asks = """
            [{"tool_calls": [{"id": "c1", "name": "ask_person", "args": {"question": "Which?", "options": ["red", "blue"]}}]},
             {"text": "{{last}}"}]
            """;
        await StartAsync("""{"recipient": "a person"}""", Asks, "ask_person", ", \"tools\": [\"ask_person\"]");
        var question = await _service.QuestionAsync();
        Assert.Equal(("Which?", "a person"), (question.GetProperty("value").TextProperty("text"), question.TextProperty("recipient")));
        await AnswerAsync(question.TextProperty("id")!, "\"green\"");
        var again = Assert.Single((await _service.QuestionsAsync(2))[1].Data.GetProperty("interrupts").EnumerateArray());

        await AnswerAsync(again.TextProperty("id")!, """{"decision": "respond", "value": "blue"}""");

        Assert.Equal("blue", await _service.OutputAsync("j"));
        Assert.Single(_service.Events.Of<RunEvent.ToolStarted>());
        Assert.Single(_service.Events.Of<RunEvent.ToolEnded>());
    }

    [Fact]
    public async Task A_human_step_has_a_default_answer_and_a_sub_agent_can_be_asked_too()
    {
        const string Definition = """
            {"nodes": [{"id": "ask", "type": "human", "question": "Colour?", "output": "colour",
                        "answer": {"options": ["red", "blue"], "timeout_seconds": 20,
                                   "on_timeout": {"decision": "respond", "value": "red"}}},
                       {"id": "done", "type": "agent", "input": "{{ state.colour }}",
                        "model": {"provider": "scripted", "model": "m", "script": [{"text": "It is {{last}}."}]}}],
             "edges": [{"from": "START", "to": "ask"}, {"from": "ask", "to": "done"}, {"from": "done", "to": "END"}]}
            """;
        _service.StartWorker();
        await _service.SendAsync(
            $$"""{"trace_id": "t", "job_id": "j", "input_payload": {"user_request": "go"}, "agent_definition": {{Definition}}}"""
        );

        Assert.Equal("It is red.", await _service.OutputAsync("j"));
    }

    private async Task StartAsync(string policy, string script = Approval, string tool = "write_file", string tools = "")
    {
        _service.StartWorker();
        await _service.SendAsync(JobService.Job("j", script, $$""", "interrupt_on": {"{{tool}}": {{policy}}}{{tools}}"""));
    }

    private Task AnswerAsync(string id, string answer) =>
        _service.Control.AnswerAsync("j", new Dictionary<string, JsonElement> { [id] = JsonElement.Parse(answer) }, JobService.Cancel);

    private static string Answers(string? id, string answer) =>
        $$"""{"thread_id": "j", "answers": [{"interrupt_id": "{{id}}", {{answer[1..]}}]}""";
}
