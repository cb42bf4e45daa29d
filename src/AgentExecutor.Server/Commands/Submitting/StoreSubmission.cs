using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Server.Commands.Submitting;

/// <summary>A run for the queue in PostgreSQL, stored there without a service between.</summary>
internal sealed record StoreSubmission(byte[] Definition, JsonElement Input, string? RunId, string? Thread)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);

    public required int Priority { get; init; }

    public string? ConcurrencyKey { get; init; }

    public required int ConcurrencyLimit { get; init; }

    public TimeSpan Delay { get; init; }

    public string? OutDirectory { get; init; }

    public async Task<int> SubmitAsync(ServerSettings settings, bool wait, CancellationToken cancellationToken)
    {
        if (OutDirectory is not null && !wait)
        {
            throw new FaultException(FaultCodes.InvalidInput, "--out saves the files of a run that has ended", "add --wait");
        }
        await using var app = await App.OpenAsync(settings, cancellationToken);
        var queue = app.Queue ?? throw new FaultException(
            FaultCodes.InvalidInput, "the embedded database has no queue for other processes", "send it to a service with --to URL; or run it here with: agent-executor run");
        var submission = Make(app);
        var (threadId, id) = (submission.Run.ThreadId, submission.Run.RunId);
        var submitted = (await queue.SubmitAsync([submission], null, cancellationToken))[0];
        if (submitted.Run.DefinitionHash != submission.Run.DefinitionHash)
        {
            throw new FaultException(FaultCodes.RunExists, $"the run '{id}' of the thread '{threadId}' was submitted before, with another definition", "give yours another --run-id");
        }
        if (!submitted.IsNew)
        {
            Console.Error.WriteLine($"the run '{id}' was submitted before; it is {submitted.Run.Status.ToString().ToLowerInvariant()}");
        }
        if (!wait)
        {
            Console.WriteLine(threadId);
            return ExitCode.Success;
        }
        if (submitted.Run.Status == RunStatus.Pending)
        {
            Console.Error.WriteLine($"thread {threadId} waits for a worker");
        }
        return RunReport.Write(await OutcomeAsync(app, queue, threadId, id, cancellationToken), new FollowOptions(submission.Run.Name, false, OutDirectory, null));
    }

    private RunSubmission Make(App app)
    {
        var agent = app.Agents.Get(Definition);
        var id = RunId ?? Guid.CreateVersion7().ToString();
        ThreadIds.Check(id, "run");
        var threadId = Thread ?? id;
        ThreadIds.Check(threadId);
        _ = InputReader.Read(Input, agent.Graph.Channels, id, agent.NeedsMessage); // refused here, not by a worker
        var now = TimeProvider.System.GetUtcNow();
        var run = new Run { ThreadId = threadId, RunId = id, Name = agent.Name, DefinitionHash = agent.Hash, CreatedAt = now, UpdatedAt = now };
        return new RunSubmission(run, new StoredDefinition(agent.Hash, Definition), JsonBytes.Of(Input))
        {
            Priority = Priority,
            ConcurrencyKey = ConcurrencyKey,
            ConcurrencyLimit = ConcurrencyLimit,
            Delay = Delay,
        };
    }

    private static async Task<RunOutcome> OutcomeAsync(App app, IRunQueue queue, string threadId, string runId, CancellationToken cancellationToken)
    {
        while (true)
        {
            var run = await queue.FindAsync(threadId, runId, cancellationToken)
                ?? throw new FaultException(FaultCodes.UnknownThread, $"the run '{runId}' was deleted while it was waited for");
            if (run.IsFinished || run.Status == RunStatus.Interrupted)
            {
                if ((await app.Runs.FindAsync(threadId, cancellationToken))?.RunId != runId)
                {
                    return new RunOutcome(run, null, []); // the thread has gone on since
                }
                var agent = await app.Executor.AgentOfAsync(run, cancellationToken);
                var loaded = await app.Services.Checkpoints.LoadAsync(threadId, "", null, cancellationToken);
                var at = loaded is null ? null : CheckpointReader.Read(loaded, agent.Graph.Channels);
                return new RunOutcome(run, at?.State, at is null ? [] : OpenInterrupts.Of(threadId, at, agent.Graph));
            }
            await Task.Delay(Look, TimeProvider.System, cancellationToken);
        }
    }
}
