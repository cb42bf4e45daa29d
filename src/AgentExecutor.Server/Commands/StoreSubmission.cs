using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Threads;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.Composition;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Server.Commands;

/// <summary>A run that the command stores in the PostgreSQL queue itself, without a service.</summary>
internal sealed record StoreSubmission(byte[] Definition, JsonElement Input, string? RunId, string? Thread)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(200);

    public required int Priority { get; init; }

    public string? ConcurrencyKey { get; init; }

    public required int ConcurrencyLimit { get; init; }

    public TimeSpan Delay { get; init; }

    public string? OutDirectory { get; init; }

    public async Task<int> SubmitAsync(ServerSettings settings, bool wait, CancellationToken cancellationToken)
    {
        if (OutDirectory is not null && !wait)
        {
            throw new FaultException(FaultCodes.InvalidInput, "--out needs a run that has ended", "add --wait");
        }
        await using var app = await CommandServices.OpenAsync(settings, cancellationToken);
        var queue =
            app.Queue
            ?? throw new FaultException(
                FaultCodes.InvalidInput,
                "the embedded database has no queue that other processes can use",
                "send the job to a service with --to URL, or run it here with: agent-executor run"
            );
        var submission = await MakeAsync(app, cancellationToken);
        var (threadId, id) = (submission.Run.ThreadId, submission.Run.RunId);
        var submitted = (await queue.SubmitAsync([submission], null, cancellationToken))[0];
        if (submitted.Run.DefinitionHash != submission.Run.DefinitionHash)
        {
            throw new FaultException(
                FaultCodes.RunExists,
                $"the run '{id}' of the thread '{threadId}' was already submitted with a different definition",
                "choose another --run-id"
            );
        }
        if (!submitted.IsNew)
        {
            Console.Error.WriteLine(
                $"the run '{id}' was already submitted; its status is {submitted.Run.Status.ToString().ToLowerInvariant()}"
            );
        }
        if (!wait)
        {
            Console.WriteLine(threadId);
            return ExitCode.Success;
        }
        if (submitted.Run.Status == RunStatus.Pending)
        {
            Console.Error.WriteLine($"thread {threadId} is waiting for a worker");
        }
        return RunReport.Write(
            await OutcomeAsync(app, queue, threadId, id, cancellationToken),
            new DisplayOptions(submission.Run.Name, false, OutDirectory, null)
        );
    }

    private async Task<RunSubmission> MakeAsync(CommandServices app, CancellationToken cancellationToken)
    {
        var agent = await app.Agents.GetAsync(Definition, cancellationToken);
        var id = RunId ?? Guid.CreateVersion7().ToString();
        ThreadIds.Check(id, "run");
        var threadId = Thread ?? id;
        ThreadIds.Check(threadId);
        _ = InputReader.Read(Input, agent.Graph.Channels, id, agent.NeedsMessage); // invalid input fails here instead of in a worker
        var now = TimeProvider.System.GetUtcNow();
        var run = new Run
        {
            ThreadId = threadId,
            RunId = id,
            Name = agent.Name,
            DefinitionHash = agent.Hash,
            CreatedAt = now,
            UpdatedAt = now,
        };
        return new RunSubmission(run, new StoredDefinition(agent.Hash, Definition), JsonBytes.Of(Input))
        {
            Priority = Priority,
            ConcurrencyKey = ConcurrencyKey,
            ConcurrencyLimit = ConcurrencyLimit,
            Delay = Delay,
        };
    }

    private static async Task<RunOutcome> OutcomeAsync(
        CommandServices app,
        IRunQueue queue,
        string threadId,
        string runId,
        CancellationToken cancellationToken
    )
    {
        while (true)
        {
            var run =
                await queue.FindAsync(threadId, runId, cancellationToken)
                ?? throw new FaultException(FaultCodes.UnknownThread, $"the run '{runId}' was deleted before it ended");
            if (run.IsFinished || run.Status == RunStatus.Interrupted)
            {
                if ((await app.Runs.FindAsync(threadId, cancellationToken))?.RunId != runId)
                {
                    return new RunOutcome(run, null, []); // a later run has changed the thread
                }
                var at = await app.Reader.FindAsync(run, "", null, cancellationToken);
                return new RunOutcome(run, at?.State, at is null ? [] : OpenInterrupts.Of(at));
            }
            await Task.Delay(PollInterval, TimeProvider.System, cancellationToken);
        }
    }
}
