using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Sessions.Transitions;
using AgentExecutor.Core.Tools.External;

namespace AgentExecutor.Core.Threads;

/// <summary>
/// Takes the answers to the questions of submitted runs, and the results of external tools, in two steps:
/// <list type="number">
/// <item>The answer is recorded. The first answer counts: the same answer again changes nothing, and a different one is a conflict. It may
/// arrive while the run executes other tasks.</item>
/// <item>If the run waits, one commit passes all recorded answers to its tasks and returns it to the queue. If this process dies in
/// between, another process does that, because the recorded answer is due (<see cref="IInterruptStore.TakeDueAsync"/>).</item>
/// </list>
/// </summary>
public sealed class RunAnswers(RunServices services, IRunStore runs, IRunQueue? queue)
{
    private readonly ThreadReader _reader = new(services.Checkpoints, runs);

    /// <summary>Answers questions of the thread's run.</summary>
    /// <param name="threadId">The thread.</param>
    /// <param name="answers">The answers by interrupt id. The id <c>""</c> stands for the only open question.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>The current state of the run.</returns>
    /// <exception cref="FaultException">
    /// There is no such thread, it does not wait for an answer, an answer belongs to no question (<see
    /// cref="FaultCodes.UnknownInterrupt"/>), or the question has another answer (<see cref="FaultCodes.AnswerConflict"/>). Nothing was
    /// changed.
    /// </exception>
    public async Task<Run> AnswerAsync(
        string threadId,
        IReadOnlyDictionary<string, JsonElement> answers,
        CancellationToken cancellationToken
    )
    {
        var run = await FindAsync(threadId, cancellationToken);
        var at = Waits(run) || run.Status == RunStatus.Failed ? await _reader.FindAsync(run, "", null, cancellationToken) : null;
        var open = at is null ? [] : OpenInterrupts.Of(at);
        var stored = await StoredAsync(threadId, [.. answers.Keys, .. open.Select(static it => it.Id)], cancellationToken);
        var unanswered = open.RemoveAll(it => stored.TryGetValue(it.Id, out var known) && known.Answer is not null);
        // A question may be open although the run executes other tasks.
        var others = stored
            .Values.Where(it => it.Answer is null && it.RunId == run.RunId && unanswered.All(known => known.Id != it.Id))
            .Select(static it => it.Request);
        var all = unanswered.AddRange(run.IsFinished ? [] : others);
        var given = RemoveRepeated(answers, stored);
        if (given.Count == 0 && answers.Count > 0)
        {
            return at is null ? run : await ApplyAsync(run, at, cancellationToken) ?? run;
        }
        CheckStatus(run, all.IsEmpty || given.Count == 0);
        await CheckQueueAsync(run, cancellationToken);
        var matched = InterruptAnswers.Match(given, all, threadId, wereAsked: Waits(run));
        InterruptAnswers.CheckDecisions(matched, all);
        if (matched.Count == 0)
        {
            return await RetryAsync(run, cancellationToken);
        }
        return services.Interrupts is null
            ? await CommitAsync(run, at!, matched, cancellationToken)
            : await RecordAsync(run, at, all, matched, cancellationToken);
    }

    /// <summary>Records the result of a call of an external tool, and passes it to the run.</summary>
    /// <param name="threadId">The thread.</param>
    /// <param name="callId">The id of the call, as in its request.</param>
    /// <param name="result"><c>{"status": "success", "output"}</c> or <c>{"status": "error", "error"}</c>.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>True if the result is new, false if it was recorded before.</returns>
    /// <exception cref="FaultException">
    /// There is no such call (<see cref="FaultCodes.UnknownToolCall"/>), its run does not wait for it (<see
    /// cref="FaultCodes.NothingToResume"/>), or it has another result, for example because its deadline has passed (<see
    /// cref="FaultCodes.AnswerConflict"/>). Nothing was changed.
    /// </exception>
    public async Task<bool> CompleteCallAsync(string threadId, string callId, JsonElement result, CancellationToken cancellationToken)
    {
        var id = ExternalCall.InterruptOf(callId);
        if (!(await StoredAsync(threadId, [id], cancellationToken)).TryGetValue(id, out var call))
        {
            throw new FaultException(
                FaultCodes.UnknownToolCall,
                $"the thread '{threadId}' has no tool call '{callId}'",
                "use thread_id and call_id of the request"
            );
        }
        if (call.Answer is { } answer)
        {
            return Same(answer, result) ? false : throw Conflict(id);
        }
        var run = await FindAsync(threadId, cancellationToken);
        if (run.RunId != call.RunId || (run.IsFinished && run.Status != RunStatus.Failed))
        {
            throw new FaultException(
                FaultCodes.NothingToResume,
                $"the run '{call.RunId}' of the thread '{threadId}' does not wait for the tool call '{callId}' any more",
                "discard the result"
            );
        }
        await StoreAsync([call with { Answer = JsonBytes.Of(result) }], cancellationToken);
        await ApplyRecordedAsync(run, cancellationToken);
        return true;
    }

    /// <summary>Uses the default answer of an interrupt whose deadline has passed. Does nothing if it has an answer.</summary>
    /// <returns>True if the run continues.</returns>
    internal async Task<bool> ExpireAsync(StoredInterrupt expired, CancellationToken cancellationToken)
    {
        var onTimeout = expired.Request.Terms.OnTimeout ?? JsonBytes.Text(InterruptTerms.Fail);
        await services.Interrupts!.RecordAsync([expired with { Answer = JsonBytes.Of(onTimeout) }], cancellationToken);
        return await ApplyDueAsync(expired, cancellationToken);
    }

    /// <summary>
    /// Passes the recorded answers of a thread to its run, if it waits. Interrupts for which nothing is left to do are closed.
    /// </summary>
    /// <returns>True if the run continues.</returns>
    internal async Task<bool> ApplyDueAsync(StoredInterrupt due, CancellationToken cancellationToken)
    {
        var run = await runs.FindAsync(due.ThreadId, cancellationToken);
        if (run?.RunId == due.RunId && run.Status is RunStatus.Running or RunStatus.Pending)
        {
            return false; // the run finds the answer when it waits, or the next poll passes it
        }
        if (run?.RunId == due.RunId && Waits(run) && await ApplyRecordedAsync(run, cancellationToken))
        {
            return true;
        }
        await services.Interrupts!.CloseAsync([due], cancellationToken);
        return false;
    }

    /// <summary>Returns true if the run of the interrupt has not ended.</summary>
    internal async Task<bool> IsAskedAsync(StoredInterrupt asked, CancellationToken cancellationToken) =>
        await runs.FindAsync(asked.ThreadId, cancellationToken) is { IsFinished: false } run && run.RunId == asked.RunId;

    /// <summary>Returns the answers that were given before and must not be recorded again.</summary>
    /// <exception cref="FaultException">A question has another answer.</exception>
    internal static Dictionary<string, JsonElement> RemoveRepeated(
        IReadOnlyDictionary<string, JsonElement> answers,
        IReadOnlyDictionary<string, StoredInterrupt> stored
    )
    {
        var given = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var (id, answer) in answers)
        {
            if (stored.TryGetValue(id, out var known) && known.Answer is { } earlier)
            {
                if (!Same(earlier, InputJson.Repaired(answer)))
                {
                    throw Conflict(id);
                }
                continue;
            }
            given.Add(id, answer);
        }
        return given;
    }

    /// <summary>Returns the stored interrupts with these ids.</summary>
    internal async Task<IReadOnlyDictionary<string, StoredInterrupt>> StoredAsync(
        string threadId,
        ImmutableArray<string> ids,
        CancellationToken cancellationToken
    ) =>
        services.Interrupts is { } interrupts && !ids.IsEmpty
            ? (await interrupts.FindAsync(threadId, [.. ids.Distinct()], cancellationToken)).ToDictionary(static it => it.Id)
            : ImmutableDictionary<string, StoredInterrupt>.Empty;

    private async Task<Run> RecordAsync(
        Run run,
        Position? at,
        ImmutableArray<InterruptRequest> open,
        IReadOnlyDictionary<string, JsonElement> answers,
        CancellationToken cancellationToken
    )
    {
        await StoreAsync(
            [
                .. open.Where(it => answers.ContainsKey(it.Id))
                    .Select(it => StoredInterrupt.Of(run.ThreadId, run.RunId, it) with { Answer = JsonBytes.Of(answers[it.Id]) }),
            ],
            cancellationToken
        );
        if (at is not null && await ApplyAsync(run, at, cancellationToken) is { } resumed)
        {
            return resumed;
        }
        return await FindAsync(run.ThreadId, cancellationToken);
    }

    /// <exception cref="FaultException">Another caller has recorded another answer in the meantime.</exception>
    private async Task StoreAsync(ImmutableArray<StoredInterrupt> answered, CancellationToken cancellationToken)
    {
        var stored = await services.Interrupts!.RecordAsync(answered, cancellationToken);
        foreach (var (mine, kept) in answered.Zip(stored))
        {
            if (!Same(kept.Answer!.Value, StoredJson.Parse(mine.Answer!.Value.Span)))
            {
                throw Conflict(mine.Id);
            }
        }
    }

    private async Task<bool> ApplyRecordedAsync(Run run, CancellationToken cancellationToken) =>
        Waits(run)
        && (queue is null || await queue.FindAsync(run.ThreadId, run.RunId, cancellationToken) is not null)
        && await _reader.FindAsync(run, "", null, cancellationToken) is { } at
        && await ApplyAsync(run, at, cancellationToken) is not null;

    /// <summary>Passes the recorded answers to the run. Returns null if there are none, or if another process was faster.</summary>
    private async Task<Run?> ApplyAsync(Run run, Position at, CancellationToken cancellationToken)
    {
        var ids = OpenInterrupts.Of(at).Select(static it => it.Id).ToImmutableArray();
        var answers = (await StoredAsync(run.ThreadId, ids, cancellationToken))
            .Values.Where(static it => it.Answer is not null)
            .ToDictionary(static it => it.Id, static it => StoredJson.Parse(it.Answer!.Value.Span));
        return answers.Count == 0
            ? null
            : await ThreadCommit.TryAsync(services, run, Requeue.Apply, CommitOf(run, at, answers), cancellationToken);
    }

    /// <summary>Passes answers to the run in a store that does not record them.</summary>
    private async Task<Run> CommitAsync(
        Run run,
        Position at,
        IReadOnlyDictionary<string, JsonElement> answers,
        CancellationToken cancellationToken
    ) =>
        await ThreadCommit.TryAsync(services, run, Requeue.Apply, CommitOf(run, at, answers), cancellationToken)
        ?? throw Busy(run.ThreadId);

    private async Task<Run> RetryAsync(Run run, CancellationToken cancellationToken) =>
        await ThreadCommit.TryAsync(services, run, Requeue.Apply, new StepCommit { ThreadId = run.ThreadId, Fence = 0 }, cancellationToken)
        ?? throw Busy(run.ThreadId);

    private static StepCommit CommitOf(Run run, Position at, IReadOnlyDictionary<string, JsonElement> answers) =>
        new()
        {
            ThreadId = run.ThreadId,
            Fence = 0,
            Writes = OpenInterrupts.AnswerWrites(at, answers),
            WritesUnder = at.CheckpointId,
            Answers = [.. answers.Select(it => new StoredAnswer(it.Key, JsonBytes.Of(it.Value)))],
        };

    private static bool Waits(Run run) => run.Status is RunStatus.Interrupted or RunStatus.Waiting;

    private static bool Same(ReadOnlyMemory<byte> earlier, JsonElement answer) =>
        JsonElement.DeepEquals(StoredJson.Parse(earlier.Span), StoredJson.Parse(JsonBytes.Of(answer)));

    private static void CheckStatus(Run run, bool asksNothing)
    {
        if (!Waits(run) && run.Status != RunStatus.Failed && asksNothing)
        {
            throw new FaultException(
                FaultCodes.NothingToResume,
                $"the thread '{run.ThreadId}' is {run.Status.ToString().ToLowerInvariant()} and does not wait for an answer"
            );
        }
    }

    private async Task CheckQueueAsync(Run run, CancellationToken cancellationToken)
    {
        if (queue is null || await queue.FindAsync(run.ThreadId, run.RunId, cancellationToken) is null)
        {
            throw new FaultException(
                FaultCodes.NothingToResume,
                $"the run of the thread '{run.ThreadId}' was not submitted to the queue",
                "resume it with: agent-executor resume"
            );
        }
    }

    private static FaultException Busy(string threadId) =>
        new(FaultCodes.ThreadBusy, $"another caller has just resumed the thread '{threadId}'", "read the state of the thread");

    private static FaultException Conflict(string id) =>
        new(FaultCodes.AnswerConflict, $"'{id}' has been answered before, and differently", "read the state of the thread");

    private async Task<Run> FindAsync(string threadId, CancellationToken cancellationToken) =>
        await runs.FindAsync(threadId, cancellationToken)
        ?? throw new FaultException(FaultCodes.UnknownThread, $"there is no thread '{threadId}'", "check the thread id");
}
