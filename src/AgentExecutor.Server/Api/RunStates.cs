using System.Text.Json;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Server.Api;

/// <summary>Tells how threads stand: from the outbox where the outcome is kept, else from the newest checkpoint.</summary>
internal sealed class RunStates(Service service)
{
    public async Task<RunState?> FindAsync(string threadId, CancellationToken cancellationToken)
    {
        if (await service.App.Runs.FindAsync(threadId, cancellationToken) is not { } run)
        {
            return null;
        }
        var outcome = run.IsFinished || run.Status == RunStatus.Interrupted ? await OutcomeAsync(run, cancellationToken) : null;
        return new RunState(run, outcome is null ? null : JsonElement.Parse(outcome.Json.Span));
    }

    /// <summary>The outcome as it was announced; of a run so old that it is no longer kept, or that was never submitted, as it would be.</summary>
    public async Task<Outcome> OutcomeAsync(Run run, CancellationToken cancellationToken)
    {
        var key = new RunKey(run.ThreadId, run.RunId);
        var kept = await service.Outbox.FindAsync([key], cancellationToken);
        if (kept is [var outcome] && outcome.Status == run.Status)
        {
            return outcome;
        }
        return new Outcome(key, run.LastSequence, run.Status, await EncodeAsync(run, cancellationToken), "", run.UpdatedAt, TimeSpan.Zero, IsAnnounced: true);
    }

    private async Task<byte[]> EncodeAsync(Run run, CancellationToken cancellationToken)
    {
        var loaded = await service.App.Services.Checkpoints.LoadAsync(run.ThreadId, "", null, cancellationToken);
        if (loaded is null)
        {
            return RunResult.Encode(run, (ChannelState?)null, []);
        }
        var agent = await service.App.Executor.AgentOfAsync(run, cancellationToken);
        var at = CheckpointReader.Read(loaded, agent.Graph.Channels);
        return RunResult.Encode(run, at.State, OpenInterrupts.Of(run.ThreadId, at, agent.Graph));
    }
}

/// <summary>How a thread stands.</summary>
/// <param name="Run">Its run.</param>
/// <param name="Outcome">What was announced of it; null while it runs.</param>
internal sealed record RunState(Run Run, JsonElement? Outcome)
{
    /// <summary>A run that waits for a worker is running to those outside.</summary>
    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("thread_id"u8, Run.ThreadId);
        writer.WriteString("status"u8, Run.Status == RunStatus.Pending ? "running" : Run.Status.ToString().ToLowerInvariant());
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
