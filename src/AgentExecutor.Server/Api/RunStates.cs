using System.Text.Json;
using AgentExecutor.Adapters;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;
using AgentExecutor.Server.View;

namespace AgentExecutor.Server.Api;

/// <summary>Finds the state of threads: in the outbox if it contains the outcome, otherwise in the newest checkpoint.</summary>
internal sealed class RunStates(ThreadStore store)
{
    /// <summary>Returns the state of a thread, or null if the thread does not exist.</summary>
    public async Task<RunState?> FindAsync(string threadId, CancellationToken cancellationToken)
    {
        if (await store.Read.Runs.FindAsync(threadId, cancellationToken) is not { } run)
        {
            return null;
        }
        var outcome = run.IsFinished || run.Status == RunStatus.Interrupted ? await OutcomeAsync(run, cancellationToken) : null;
        return new RunState(run, outcome is null ? null : StoredJson.Parse(outcome.Json.Span));
    }

    /// <summary>
    /// Returns the outcome of a run as it was published. If the outbox does not contain it, because the run is too old or was not submitted
    /// as a job, it is created from the checkpoint.
    /// </summary>
    public async Task<Outcome> OutcomeAsync(Run run, CancellationToken cancellationToken)
    {
        var key = new RunKey(run.ThreadId, run.RunId);
        var kept = await store.Read.Outbox!.FindAsync([key], cancellationToken);
        // A higher sequence means that the run has continued since it was read.
        if (kept is [var outcome] && (outcome.Status == run.Status || outcome.Sequence > run.LastSequence))
        {
            return outcome;
        }
        return new Outcome(
            key,
            run.LastSequence,
            run.Status,
            await EncodeAsync(run, cancellationToken),
            "",
            run.UpdatedAt,
            TimeSpan.Zero,
            IsPublished: true
        );
    }

    private async Task<byte[]> EncodeAsync(Run run, CancellationToken cancellationToken)
    {
        var at = await new ThreadReader(store.Read.Checkpoints, store.Read.Runs).FindAsync(run, "", null, cancellationToken);
        return RunResult.Encode(run, at?.State, at is null ? [] : OpenInterrupts.Of(at));
    }
}

/// <summary>The state of a thread.</summary>
/// <param name="Run">The newest run of the thread.</param>
/// <param name="Outcome">The published outcome; null while the run executes.</param>
internal sealed record RunState(Run Run, JsonElement? Outcome)
{
    /// <summary>The status of a run for callers.</summary>
    public static string NameOf(RunStatus status) =>
        status is RunStatus.Pending or RunStatus.Waiting ? "running" : status.ToString().ToLowerInvariant();

    /// <summary>
    /// Writes a run that waits for a worker or an external tool as running. The phase distinguishes it from a run that executes.
    /// </summary>
    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("thread_id"u8, Run.ThreadId);
        writer.WriteString("status"u8, NameOf(Run.Status));
        if (RunPhase.Of(Run.Status) is { } phase)
        {
            writer.WriteString("phase"u8, phase);
        }
        foreach (var name in (string[])["result", "error", "interrupts"])
        {
            if (Outcome is { } outcome && outcome.TryGetProperty(name, out var value))
            {
                writer.WritePropertyName(name);
                value.WriteTo(writer);
            }
        }
        if (Outcome?.Property("result")?.Property("files") is { } files)
        {
            writer.WritePropertyName("generated_files"u8);
            files.WriteTo(writer);
        }
    }
}
