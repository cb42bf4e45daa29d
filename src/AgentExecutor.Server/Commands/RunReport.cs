using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Server.View;

namespace AgentExecutor.Server.Commands;

/// <summary>Tells how a run ended: the answer on standard output, everything about it on standard error.</summary>
internal static class RunReport
{
    public static int Write(RunOutcome outcome, FollowOptions options)
    {
        var run = outcome.Run;
        if (!options.JsonLines && run.Status == RunStatus.Completed)
        {
            var answer = Answer(outcome);
            Console.WriteLine(Console.IsOutputRedirected ? answer : EventText.Safe(answer));
        }
        Console.Error.WriteLine(
            $"thread {run.ThreadId} {(run.Status == RunStatus.Pending ? "stopped" : run.Status.ToString().ToLowerInvariant())}: {run.Usage.Supersteps} supersteps, "
            + $"{run.Usage.ModelCalls} model calls, {run.Usage.ToolCalls} tool calls, {run.Usage.Tokens.Total} tokens, {run.Usage.ActiveSeconds:0.00} s");
        if (options.OutDirectory is { } directory)
        {
            OutDirectory.Save(outcome, directory);
        }
        return Explain(outcome, options.ResumeCommand(outcome.Run.ThreadId));
    }

    /// <summary>The last message of an agent, or what a workflow without one has in its state.</summary>
    private static string Answer(RunOutcome outcome)
    {
        if (outcome.State is not { } state || state.Get<MessageLog>(MessagesChannel.DefaultName)?.Last is { Type: MessageType.Ai })
        {
            return outcome.Output;
        }
        var values = Enumerable.Range(0, state.Slots.Length)
            .Where(index => state.Slots[index].Value is not null && state.Channels[index] is not (FilesChannel or MessagesChannel or BarrierChannel))
            .Select(index => $"{state.Channels[index].Name}: {System.Text.Encoding.UTF8.GetString(state.Channels[index].EncodeValue(state.Slots[index].Value!))}");
        return string.Join('\n', values);
    }

    private static int Explain(RunOutcome outcome, string resume)
    {
        var run = outcome.Run;
        switch (run.Status)
        {
            case RunStatus.Completed:
                return ExitCode.Success;
            case RunStatus.Interrupted:
                foreach (var interrupt in outcome.Interrupts)
                {
                    Console.Error.WriteLine($"waits for an answer: {EventText.Safe(JsonBytes.Compact(interrupt.Value))}");
                    Console.Error.WriteLine($"  {resume} --answer {(outcome.Interrupts.Length == 1 ? "" : interrupt.Id + "=")}ANSWER");
                }
                return ExitCode.Interrupted;
            case RunStatus.Failed:
                Console.Error.WriteLine($"error: {EventText.Safe(run.Failure!.Message)} [{run.Failure.Code}]");
                CommandErrors.WriteHint(run.Failure.Hint);
                Console.Error.WriteLine($"once its cause is mended, try again from the last checkpoint: {resume}");
                return ExitCode.Failed;
            case RunStatus.Cancelled:
                return ExitCode.Cancelled;
            default:
                Console.Error.WriteLine($"stopped at a checkpoint; to go on: {resume}");
                return ExitCode.Stopped;
        }
    }
}
