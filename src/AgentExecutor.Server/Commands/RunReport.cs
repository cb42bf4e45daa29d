using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Server.Commands;

/// <summary>Tells how a run ended: the answer on standard output, everything about it on standard error.</summary>
internal static class RunReport
{
    public static int Write(RunOutcome outcome, FollowOptions options)
    {
        var run = outcome.Run;
        var saved = options.OutDirectory is { } directory ? Save(outcome, directory) : 0;
        if (!options.JsonLines && run.Status == RunStatus.Completed)
        {
            Console.Error.WriteLine();
            Console.WriteLine(Answer(outcome));
            Console.Error.WriteLine();
        }
        Console.Error.WriteLine(
            $"thread {run.ThreadId} {run.Status.ToString().ToLowerInvariant()}: {run.Usage.Supersteps} supersteps, {run.Usage.ModelCalls} model calls, "
            + $"{run.Usage.ToolCalls} tool calls, {run.Usage.Tokens.Total} tokens, {run.Usage.ActiveSeconds:0.00} s");
        if (saved > 0)
        {
            Console.Error.WriteLine($"saved {saved} file{(saved == 1 ? "" : "s")} to {options.OutDirectory}");
        }
        return Explain(outcome);
    }

    /// <summary>The last message, or what a workflow without messages has in its state.</summary>
    private static string Answer(RunOutcome outcome)
    {
        if (outcome.Output.Length > 0 || outcome.State is not { } state)
        {
            return outcome.Output;
        }
        var values = Enumerable.Range(0, state.Slots.Length)
            .Where(index => state.Slots[index].Value is not null && state.Channels[index] is not (FilesChannel or MessagesChannel or BarrierChannel))
            .Select(index => $"{state.Channels[index].Name}: {System.Text.Encoding.UTF8.GetString(state.Channels[index].EncodeValue(state.Slots[index].Value!))}");
        return string.Join('\n', values);
    }

    private static int Explain(RunOutcome outcome)
    {
        var run = outcome.Run;
        switch (run.Status)
        {
            case RunStatus.Completed:
                return ExitCode.Success;
            case RunStatus.Interrupted:
                foreach (var interrupt in outcome.Interrupts)
                {
                    Console.Error.WriteLine($"waits for an answer: {JsonBytes.Compact(interrupt.Value)}");
                    Console.Error.WriteLine($"  agent-executor resume {run.ThreadId} --answer {(outcome.Interrupts.Length == 1 ? "" : interrupt.Id + "=")}ANSWER");
                }
                return ExitCode.Interrupted;
            case RunStatus.Failed:
                Console.Error.WriteLine($"error: {run.Failure!.Message} [{run.Failure.Code}]");
                CommandErrors.WriteHint(run.Failure.Hint);
                Console.Error.WriteLine($"to try again from the last checkpoint: agent-executor resume {run.ThreadId}");
                return ExitCode.Failed;
            case RunStatus.Cancelled:
                return ExitCode.Cancelled;
            default:
                Console.Error.WriteLine($"stopped at a checkpoint; to go on: agent-executor resume {run.ThreadId}");
                return ExitCode.Stopped;
        }
    }

    private static int Save(RunOutcome outcome, string directory)
    {
        var saved = 0;
        foreach (var (path, file) in outcome.State?.Get<FileTree>(FilesChannel.DefaultName)?.Entries ?? FileTree.Empty.Entries)
        {
            if (file.ModifiedAt == default)
            {
                continue; // it was mounted and never changed
            }
            var target = Path.Combine(directory, path.TrimStart('/'));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.WriteAllText(target, file.Content);
            saved++;
        }
        return saved;
    }
}
