using System.Text;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Sessions.Transitions;
using AgentExecutor.Core.Threads;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Threads;

public sealed class RunExecutorTests
{
    private static readonly Dictionary<string, JsonElement> NoAnswers = [];

    private readonly InMemoryCheckpointStore _store = new();
    private readonly KeptEvents _events = new();

    [Fact]
    public async Task A_run_completes_with_its_answer_and_its_usage()
    {
        var outcome = await StartAsync(
            Agent("""[{"tool_calls": [{"name": "ls", "args": {}}]}, {"text": "done", "usage": {"input_tokens": 10, "output_tokens": 2}}]""")
        );

        Assert.Equal((RunStatus.Completed, "done"), (outcome.Run.Status, outcome.Output));
        Assert.Equal((3, 2, 1), (outcome.Run.Usage.Supersteps, outcome.Run.Usage.ModelCalls, outcome.Run.Usage.ToolCalls));
        Assert.Equal(outcome.Run, await _store.FindAsync("t", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task An_invalid_definition_or_input_stores_nothing()
    {
        await Assert.ThrowsAsync<DefinitionException>(() => StartAsync("""{"nodes": []}"""));
        await Assert.ThrowsAsync<FaultException>(() => StartAsync(Agent("""[{"text": "x"}]"""), input: "[]"));
        await Assert.ThrowsAsync<FaultException>(() => StartAsync(Agent("""[{"text": "x"}]"""), input: "{}"));

        Assert.Null(await _store.FindAsync("t", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_failed_run_keeps_its_code_and_resumes_where_it_failed()
    {
        var failed = await StartAsync(
            Agent("""[{"tool_calls": [{"name": "ls", "args": {}}]}, {"error": {"class": "authentication", "message": "no key"}}]""")
        );
        Assert.Equal(
            (RunStatus.Failed, FaultCodes.ModelAuthentication, "no key"),
            (failed.Run.Status, failed.Run.Failure!.Code, failed.Run.Failure.Message)
        );

        var again = await Executor().ResumeAsync("t", NoAnswers, default);

        Assert.Equal(RunStatus.Failed, again.Run.Status);
        Assert.Equal((1, 2), (again.Run.Usage.ToolCalls, again.Run.Attempt));
    }

    [Fact]
    public async Task Limits_apply_across_resumptions()
    {
        var first = await StartAsync(Agent("""[{"when": {}, "tool_calls": [{"name": "ls", "args": {}}]}]""", """{"max_tool_calls": 3}"""));
        Assert.Equal(FaultCodes.ToolCallLimit, first.Run.Failure!.Code);

        var second = await Executor().ResumeAsync("t", NoAnswers, default);

        Assert.Equal((FaultCodes.ToolCallLimit, 3), (second.Run.Failure!.Code, second.Run.Usage.ToolCalls));
    }

    [Fact]
    public async Task The_token_limit_ends_a_run_before_the_next_call()
    {
        var outcome = await StartAsync(
            Agent(
                """[{"when": {}, "tool_calls": [{"name": "ls", "args": {}}], "usage": {"input_tokens": 6000, "output_tokens": 0}}]""",
                """{"max_tokens": 10000}"""
            )
        );

        Assert.Equal((FaultCodes.TokenLimit, 2), (outcome.Run.Failure!.Code, outcome.Run.Usage.ModelCalls));
    }

    [Fact]
    public async Task The_time_limit_cancels_a_call_in_flight()
    {
        var outcome = await StartAsync(Agent("""[{"text": "never", "delay_ms": 600000}]""", """{"max_seconds": 0.05}"""));

        Assert.Equal((RunStatus.Failed, FaultCodes.WallTimeLimit), (outcome.Run.Status, outcome.Run.Failure!.Code));
    }

    [Fact]
    public async Task A_cancelled_run_ends_at_once_and_cannot_be_resumed()
    {
        using var cancel = new CancellationTokenSource();
        var running = StartAsync(
            Agent("""[{"text": "never", "delay_ms": 600000}]"""),
            signals: new RunSignals(default, Cancel: cancel.Token)
        );
        await Eventually.True(() => Task.FromResult(_events.Of<RunEvent.StateUpdated>().Any()));

        await cancel.CancelAsync();

        Assert.Equal(RunStatus.Cancelled, (await running).Run.Status);
        Assert.Equal(RunStatus.Cancelled, Assert.Single(_events.Of<RunEvent.Ended>()).Status);
        Assert.Equal(
            FaultCodes.NothingToResume,
            (await Assert.ThrowsAsync<FaultException>(() => Executor().ResumeAsync("t", NoAnswers, default))).Code
        );
    }

    [Fact]
    public async Task Answers_must_match_the_open_questions()
    {
        var waits = await StartAsync(
            Agent(
                """[{"tool_calls": [{"name": "ls", "args": {}}, {"name": "ls", "args": {}}]}, {"text": "done"}]""",
                more: """, "interrupt_on": {"ls": true}"""
            )
        );
        Assert.Equal((RunStatus.Interrupted, 2), (waits.Run.Status, waits.Interrupts.Length));

        Assert.Equal(FaultCodes.InvalidAnswer, (await ResumeFaultAsync([])).Code);
        Assert.Equal(FaultCodes.UnknownInterrupt, (await ResumeFaultAsync([("", "approve")])).Code);
        Assert.Equal(FaultCodes.UnknownInterrupt, (await ResumeFaultAsync([("nobody", "approve")])).Code);
        var done = await Executor().ResumeAsync("t", waits.Interrupts.ToDictionary(it => it.Id, _ => JsonBytes.Text("approve")), default);

        Assert.Equal("done", done.Output);
        Assert.Equal(FaultCodes.NothingToResume, (await ResumeFaultAsync([])).Code);
    }

    [Fact]
    public async Task An_open_question_does_not_stop_tasks_that_a_lost_worker_left()
    {
        var agent = Agent(
                """
                [{"tool_calls": [{"name": "ls", "args": {}}, {"name": "task", "args": {"subagent_type": "slow", "description": "x"}}]},
                 {"text": "done"}]
                """,
                more: """, "interrupt_on": {"ls": true}"""
            )
            .Replace(
                "}], \"limits\"",
                """
                }, {"id": "slow", "type": "specialist", "description": "d",
                 "model": {"provider": "scripted", "model": "m", "script": [{"text": "late", "delay_ms": 100}]}}], "limits"
                """,
                StringComparison.Ordinal
            );
        using var abandon = new CancellationTokenSource();
        var running = StartAsync(agent, signals: new RunSignals(default, Abandon: abandon.Token));
        await Eventually.True(async () =>
            (await _store.LoadAsync("t", "", null, TestContext.Current.CancellationToken)) is { Pending.Length: > 0 }
        );
        await abandon.CancelAsync(); // the question is stored, and the sub-agent is running
        Assert.Equal(RunStatus.Pending, (await running).Run.Status);

        var asked = await Executor().ResumeAsync("t", NoAnswers, default);

        Assert.Equal((RunStatus.Interrupted, 1), (asked.Run.Status, asked.Interrupts.Length));
        Assert.Equal(
            "done",
            (await Executor().ResumeAsync("t", new Dictionary<string, JsonElement> { [""] = JsonBytes.Text("approve") }, default)).Output
        );
    }

    [Fact]
    public async Task A_thread_continues_with_another_definition_only_if_the_reducers_match()
    {
        static string Workflow(string reducer) =>
            """
                {"name": "REDUCER", "state_schema": {"properties": {"x": {"reducer": "REDUCER"}}},
                 "nodes": [{"id": "a", "type": "set", "assign": {"x": [1]}}],
                  "edges": [{"from": "START", "to": "a"}, {"from": "a", "to": "END"}]}
                """.Replace("REDUCER", reducer, StringComparison.Ordinal);
        await StartAsync(Workflow("append"), "{}");

        var fault = await Assert.ThrowsAsync<FaultException>(() => StartAsync(Workflow("set"), "{}", runId: "r2"));

        Assert.Equal(FaultCodes.DefinitionMismatch, fault.Code);
        Assert.Equal("append", (await _store.FindAsync("t", TestContext.Current.CancellationToken))!.Name);
        Assert.Equal(
            RunStatus.Completed,
            (await StartAsync(Workflow("append").Replace("[1]", "[2]", StringComparison.Ordinal), "{}", runId: "r3")).Run.Status
        );
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("x\ny")]
    [InlineData("../up")]
    public async Task A_thread_id_that_is_not_safe_on_a_command_line_is_rejected(string id) =>
        Assert.Equal(
            FaultCodes.InvalidInput,
            (
                await Assert.ThrowsAsync<FaultException>(() =>
                    Executor()
                        .StartAsync(
                            new RunRequest(
                                id,
                                "r",
                                Encoding.UTF8.GetBytes(Agent("""[{"text": "x"}]""")),
                                Engine.Json("""{"input": "x"}""")
                            ),
                            default
                        )
                )
            ).Code
        );

    [Fact]
    public async Task A_run_can_be_started_only_once()
    {
        await StartAsync(Agent("""[{"text": "x"}]"""));

        Assert.Equal(FaultCodes.RunExists, (await Assert.ThrowsAsync<FaultException>(() => StartAsync(Agent("""[{"text": "x"}]""")))).Code);
    }

    [Fact]
    public async Task Fencing_tokens_and_sequence_numbers_only_grow()
    {
        await StartAsync(Agent("""[{"error": {"class": "refusal"}}]"""));
        await Executor().ResumeAsync("t", NoAnswers, default);
        await StartAsync(Agent("""[{"when": {}, "text": "fine"}]"""), runId: "r2");

        var run = (await _store.FindAsync("t", TestContext.Current.CancellationToken))!;
        Assert.Equal(("r2", 3), (run.RunId, run.Fence));
        Assert.Equal(_events.All.Select(it => it.Sequence).Order().Distinct(), _events.All.Select(it => it.Sequence));
    }

    [Fact]
    public void A_worker_that_takes_over_skips_the_numbers_that_the_lost_worker_may_have_used()
    {
        var run = new Run
        {
            ThreadId = "t",
            RunId = "r",
            DefinitionHash = "h",
            Status = RunStatus.Running,
            Attempt = 1,
            Fence = 4,
            LastSequence = 10,
        };

        var taken = Start.Apply(run, default).Run;

        Assert.Equal((2, 5, 10 + Start.SequenceGap), (taken.Attempt, taken.Fence, taken.LastSequence));
        Assert.Throws<FaultException>(() => Start.Apply(run with { Status = RunStatus.Completed }, default));
        Assert.Empty(Cancel.Apply(run with { Status = RunStatus.Completed }, default).Events);
    }

    [Theory]
    [InlineData("""{"user_request": "hello"}""")]
    [InlineData("""{"topic": 7, "anything": "hello"}""")]
    [InlineData("""{"messages": [{"role": "user", "content": "hello"}]}""")]
    [InlineData("""{"messages": [{"role": "user", "content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]}]}""")]
    public async Task The_input_becomes_the_first_message(string input)
    {
        var outcome = await StartAsync(Agent("""[{"text": "you said {{input}}"}]"""), input);

        Assert.Equal("you said hello", outcome.Output);
    }

    [Fact]
    public async Task Other_input_fields_are_written_to_channels_and_kept()
    {
        await StartAsync(Agent("""[{"text": "x"}]"""), """{"user_request": "x", "customer": {"id": 7}}""");

        var outcome = await StartAsync(Agent("""[{"when": {}, "text": "y"}]"""), runId: "r2");

        Assert.Equal("""{"id":7}""", JsonBytes.Compact((JsonElement)outcome.State!["customer"]!));
    }

    private async Task<FaultException> ResumeFaultAsync((string Id, string Answer)[] answers) =>
        await Assert.ThrowsAsync<FaultException>(() =>
            Executor().ResumeAsync("t", answers.ToDictionary(it => it.Id, it => JsonBytes.Text(it.Answer)), default)
        );

    private Task<RunOutcome> StartAsync(
        string definition,
        string input = """{"user_request": "go"}""",
        RunSignals signals = default,
        string runId = "r1"
    ) => Executor().StartAsync(new RunRequest("t", runId, Encoding.UTF8.GetBytes(definition), Engine.Json(input)), signals);

    /// <summary>Creates a new executor each time, so that state is only passed on by the store.</summary>
    private RunExecutor Executor() =>
        new(
            new RunServices(_store, _events, TimeProvider.System),
            _store,
            new CompiledAgents(new DefinitionEnvironment(TestAgents.Models, new ToolCatalog([]), new RunLimits()))
        );

    private static string Agent(string script, string limits = "{}", string more = "") =>
        """
            {"nodes": [{"id": "a", "type": "orchestrator",
             "config": {"model": {"provider": "scripted", "model": "m", "script": SCRIPT}MORE}}], "limits": LIMITS}
            """.Replace("SCRIPT", script, StringComparison.Ordinal).Replace("LIMITS", limits, StringComparison.Ordinal).Replace(
            "MORE",
            more,
            StringComparison.Ordinal
        );
}
