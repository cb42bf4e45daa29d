using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Threads;
using AgentExecutor.Tests.Jobs;

namespace AgentExecutor.Tests.Threads;

public sealed class RunControlTests : IAsyncDisposable
{
    private const string Asks = """, "interrupt_on": {"ls": true}""";
    private const string Listing = """[{"tool_calls": [{"name": "ls", "args": {}}]}, {"text": "done"}]""";

    private readonly JobService _service = new();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task A_waiting_run_is_cancelled_at_once_and_never_claimed()
    {
        await _service.AdmitAsync(JobService.Job("a"));

        Assert.Equal(RunStatus.Cancelled, (await _service.Control.CancelAsync("a", JobService.Cancel)).Status);

        _service.StartWorker();
        await _service.HasResultsAsync(1);
        Assert.Equal("cancelled", Assert.Single(await _service.ResultsAsync()).Status);
        Assert.Equal(0, (await _service.Store.FindAsync("a", JobService.Cancel))!.Usage.ModelCalls);
    }

    [Fact]
    public async Task An_interrupted_run_is_cancelled_at_once()
    {
        _service.StartWorker();
        await _service.SendAsync(JobService.Job("a", Listing, Asks));
        await _service.HasResultsAsync(1);

        Assert.Equal(RunStatus.Cancelled, (await _service.Control.CancelAsync("a", JobService.Cancel)).Status);

        await _service.HasResultsAsync(2);
        Assert.Equal(["interrupted", "cancelled"], (await _service.ResultsAsync()).Select(it => it.Status));
        Assert.Equal(FaultCodes.NothingToResume, (await AnswerFaultAsync("a")).Code);
    }

    [Fact]
    public async Task A_running_run_is_cancelled_by_its_worker()
    {
        _service.StartWorker();
        await _service.SendAsync(JobService.Job("a", """[{"text": "never", "delay_ms": 600000}]"""));
        await _service.HasStatusAsync("a", RunStatus.Running);

        await _service.Control.CancelAsync("a", JobService.Cancel);

        await _service.HasSettledAsync(1);
        Assert.Equal("cancelled", Assert.Single(await _service.ResultsAsync()).Status);
        Assert.Equal(RunStatus.Cancelled, await _service.StatusAsync("a"));
    }

    [Fact]
    public async Task Cancelling_an_ended_run_changes_nothing_and_an_unknown_run_is_a_fault()
    {
        _service.StartWorker();
        await _service.SendAsync(JobService.Job("a"));
        await _service.HasSettledAsync(1);

        Assert.Equal(RunStatus.Completed, (await _service.Control.CancelAsync("a", JobService.Cancel)).Status);

        Assert.Single(await _service.ResultsAsync());
        Assert.Equal(
            FaultCodes.UnknownThread,
            (await Assert.ThrowsAsync<FaultException>(() => _service.Control.CancelAsync("b", JobService.Cancel))).Code
        );
    }

    [Fact]
    public async Task An_answered_run_continues_at_a_worker_and_its_result_is_published()
    {
        _service.StartWorker();
        await _service.SendAsync(JobService.Job("a", Listing, Asks));
        await _service.HasSettledAsync(1); // an interrupted run holds no message

        Assert.Equal(FaultCodes.UnknownInterrupt, (await AnswerFaultAsync("a", "nobody")).Code);
        var pending = await _service.Control.AnswerAsync("a", Approval(""), JobService.Cancel);

        Assert.Equal(RunStatus.Pending, pending.Status);
        await _service.HasResultsAsync(2);
        Assert.Equal(["interrupted", "completed"], (await _service.ResultsAsync()).Select(it => it.Status));
        Assert.Equal("done", (await _service.ResultsAsync())[1].Data.GetProperty("result").TextProperty("output"));
        Assert.Equal(2, (await _service.ReadAsync(BusStream.Results)).Select(it => it.Id).Distinct().Count());
    }

    [Fact]
    public async Task The_question_of_a_sub_agent_is_answered_like_any_other()
    {
        _service.StartWorker();
        var job =
            JobService.Job(
                "a",
                """
                [{"tool_calls": [{"id": "t", "name": "task", "args": {"subagent_type": "helper", "description": "x"}}]},
                 {"text": "it said {{result:t}}"}]
                """
            )[..^"}]}}".Length]
            + """
                }, {"id": "helper", "type": "specialist", "config": {"description": "d",
                 "model": {"provider": "scripted", "model": "m",
                 "script": [{"tool_calls": [{"name": "ls", "args": {}}]}, {"text": "helped"}]}, "interrupt_on": {"ls": true}}}]}}
                """;
        await _service.SendAsync(job);
        await _service.HasResultsAsync(1);
        var (_, status, data) = Assert.Single(await _service.ResultsAsync());
        Assert.True(status == "interrupted", data.GetRawText());
        var question = data.GetProperty("interrupts")[0].TextProperty("id")!;

        await _service.Control.AnswerAsync("a", Approval(question), JobService.Cancel);

        await _service.HasResultsAsync(2);
        Assert.Equal("it said helped", (await _service.ResultsAsync())[1].Data.GetProperty("result").TextProperty("output"));
    }

    [Fact]
    public async Task The_same_answer_of_several_callers_is_used_once()
    {
        _service.StartWorker();
        await _service.SendAsync(JobService.Job("a", Listing, Asks));
        await _service.HasSettledAsync(1);

        var tries = Enumerable
            .Range(0, 8)
            .Select(_ => Task.Run(() => _service.Control.AnswerAsync("a", Approval(""), JobService.Cancel)))
            .ToList();
        await Task.WhenAll(tries.Select(it => it.ContinueWith(static _ => { }, TaskScheduler.Default)));

        Assert.Contains(tries, it => it.IsCompletedSuccessfully);
        await _service.HasResultsAsync(2);
        Assert.Equal(["interrupted", "completed"], (await _service.ResultsAsync()).Select(it => it.Status));
    }

    [Fact]
    public async Task Only_one_of_several_different_answers_to_the_same_state_is_accepted()
    {
        const int Callers = 4;
        var worker = _service.StartWorker();
        await _service.SendAsync(JobService.Job("a", Listing, Asks));
        await _service.HasSettledAsync(1);
        await _service.StopAsync(worker); // so that the answered run stays pending, as the answers would leave it
        var together = new RunControl(_service.Services, new MeetingStore(_service.Store, Callers), _service.Queue);

        var tries = Enumerable
            .Range(0, Callers)
            .Select(i =>
                together.AnswerAsync(
                    "a",
                    new Dictionary<string, JsonElement> { [""] = JsonElement.Parse($$"""{"decision": "reject", "message": "{{i}}"}""") },
                    JobService.Cancel
                )
            )
            .ToList();
        await Task.WhenAll(tries.Select(it => it.ContinueWith(static _ => { }, TaskScheduler.Default)));

        Assert.Equal(1, tries.Count(it => it.IsCompletedSuccessfully));
        // The second occurs if another answer was stored before the question was read.
        string[] refusals = [FaultCodes.AnswerConflict, FaultCodes.UnknownInterrupt];
        Assert.All(
            tries.Where(it => it.IsFaulted),
            it => Assert.Contains(Assert.IsType<FaultException>(it.Exception!.InnerException).Code, refusals)
        );
    }

    private static Dictionary<string, JsonElement> Approval(string question) => new() { [question] = JsonBytes.Text("approve") };

    private async Task<FaultException> AnswerFaultAsync(string job, string question = "") =>
        await Assert.ThrowsAsync<FaultException>(() => _service.Control.AnswerAsync(job, Approval(question), JobService.Cancel));

    /// <summary>Returns the run only after the given number of callers have requested it.</summary>
    private sealed class MeetingStore(IRunStore store, int callers) : IRunStore
    {
        private readonly TaskCompletionSource _met = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _missing = callers;

        public async ValueTask<Run?> FindAsync(string threadId, CancellationToken cancellationToken)
        {
            var run = await store.FindAsync(threadId, cancellationToken);
            if (Interlocked.Decrement(ref _missing) == 0)
            {
                _met.SetResult();
            }
            await _met.Task.WaitAsync(Eventually.Limit, cancellationToken);
            return run;
        }

        public ValueTask<long> FindFenceAsync(string threadId, CancellationToken cancellationToken) =>
            store.FindFenceAsync(threadId, cancellationToken);

        public IAsyncEnumerable<Run> ListAsync(RunQuery query, CancellationToken cancellationToken) =>
            store.ListAsync(query, cancellationToken);

        public ValueTask<StoredDefinition?> FindDefinitionAsync(string hash, CancellationToken cancellationToken) =>
            store.FindDefinitionAsync(hash, cancellationToken);
    }
}
