using System.CommandLine;
using AgentExecutor.Core;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor submit</c>.</summary>
internal static class SubmitCommand
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);

    public static Command Create()
    {
        var definition = CommonOptions.Definition();
        var input = new Option<string?>("--input") { Description = "The input: text, a JSON object, or @FILE with either." };
        var thread = new Option<string?>("--thread") { Description = "The thread to run on; a new one, named like the run, where left out. Runs of one thread follow each other." };
        var runId = new Option<string?>("--run-id") { Description = "The run's id; made where left out. The same id on the same thread is the same run." };
        var priority = new Option<int>("--priority") { Description = "0 is taken first, 9 last.", DefaultValueFactory = _ => RunSubmission.DefaultPriority };
        var key = new Option<string?>("--key") { Description = "Runs with the same key share a limit." };
        var limit = new Option<int>("--key-limit") { Description = "How many runs with the key run at once.", DefaultValueFactory = _ => 1 };
        var delay = new Option<TimeSpan?>("--delay") { Description = "Take it no sooner than after this: 90s, 15m, 2h, 30d.", CustomParser = Durations.Parse };
        var wait = new Option<bool>("--wait") { Description = "Wait for its end and print the answer, as 'run' does." };
        var outDir = CommonOptions.Out();
        var command = new Command("submit", "Store a run in PostgreSQL for the workers ('serve') to take.")
        {
            definition, input, thread, runId, priority, key, limit, delay, wait, outDir,
        };
        CommonOptions.Range(priority, 0, RunSubmission.LastPriority);
        CommonOptions.Range(limit, 1, int.MaxValue);
        command.SetAction(async (result, cancellationToken) =>
        {
            var json = DefinitionFile.Read(result.GetValue(definition)!);
            var payload = InputArgument.Read(result.GetValue(input), []);
            await using var app = await App.OpenAsync(CommonOptions.Settings(null), cancellationToken);
            var agent = app.Agents.Get(json);
            var id = result.GetValue(runId) ?? Guid.CreateVersion7().ToString();
            ThreadIds.Check(id, "run");
            var threadId = result.GetValue(thread) ?? id;
            ThreadIds.Check(threadId);
            _ = InputReader.Read(payload, agent.Graph.Channels, id, agent.NeedsMessage); // refused here, not by a worker
            var now = TimeProvider.System.GetUtcNow();
            var run = new Run { ThreadId = threadId, RunId = id, Name = agent.Name, DefinitionHash = agent.Hash, CreatedAt = now, UpdatedAt = now };
            var submission = new RunSubmission(run, new StoredDefinition(agent.Hash, json), JsonBytes.Of(payload))
            {
                Priority = result.GetValue(priority),
                ConcurrencyKey = result.GetValue(key),
                ConcurrencyLimit = result.GetValue(limit),
                Delay = result.GetValue(delay) ?? TimeSpan.Zero,
            };
            var queue = app.Queue ?? throw new FaultException(
                FaultCodes.InvalidInput, "the embedded database has no queue for workers", "set POSTGRES_HOST or DATABASE_URL; or run it here with: agent-executor run");
            if (result.GetValue(outDir) is not null && !result.GetValue(wait))
            {
                throw new FaultException(FaultCodes.InvalidInput, "--out saves the files of a run that has ended", "add --wait");
            }
            var stored = (await queue.SubmitAsync([submission], null, cancellationToken))[0].Run;
            if (stored.DefinitionHash != agent.Hash)
            {
                throw new FaultException(FaultCodes.RunExists, $"the run '{id}' of the thread '{threadId}' was submitted before, with another definition", "give yours another --run-id");
            }
            if (stored.Status != RunStatus.Pending || stored.CreatedAt < now.AddMilliseconds(-1))
            {
                Console.Error.WriteLine($"the run '{id}' was submitted before; it is {stored.Status.ToString().ToLowerInvariant()}");
            }
            if (!result.GetValue(wait))
            {
                Console.WriteLine(threadId);
                return ExitCode.Success;
            }
            if (stored.Status == RunStatus.Pending)
            {
                Console.Error.WriteLine($"thread {threadId} waits for a worker");
            }
            return RunReport.Write(await OutcomeAsync(app, queue, threadId, id, cancellationToken), new FollowOptions(run.Name, false, result.GetValue(outDir), null));
        });
        return command;
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
