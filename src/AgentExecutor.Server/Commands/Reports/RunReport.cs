using System.Text;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Threads;
using AgentExecutor.Server.View;

namespace AgentExecutor.Server.Commands.Reports;

/// <summary>Reports how a run ended: the answer on standard output, everything else on standard error.</summary>
internal static class RunReport
{
    /// <summary>Reports a run of this process.</summary>
    public static int Write(RunOutcome outcome, DisplayOptions options)
    {
        var run = outcome.Run;
        var ending = new RunEnding(run.ThreadId, run.Status)
        {
            Answer = run.Status == RunStatus.Completed ? Answer(outcome) : "",
            IsCut =
                outcome.State?.Get<MessageLog>(MessagesChannel.DefaultName)?.Last is { FinishReason: "length", ToolCalls.IsEmpty: true },
            Usage = run.Usage,
            Failure = run.Failure,
            Interrupts = outcome.Interrupts,
        };
        WriteAnswer(ending, options.JsonLines);
        if (options.OutDirectory is { } directory)
        {
            OutDirectory.Save(outcome, directory);
        }
        return Explain(ending, NextSteps.Here(ending, options.ResumeCommand(run.ThreadId)));
    }

    /// <summary>Reports a run of a service.</summary>
    /// <param name="isSilent">True if standard output is used for something other than the answer.</param>
    /// <param name="service">The URL of the service, or null if it is unknown.</param>
    public static int Write(RunEnding ending, bool isSilent, Uri? service = null)
    {
        WriteAnswer(ending, isSilent);
        return Explain(ending, NextSteps.AtService(ending, service));
    }

    private static void WriteAnswer(RunEnding ending, bool isSilent)
    {
        if (!isSilent && ending.Status == RunStatus.Completed)
        {
            Console.WriteLine(Console.IsOutputRedirected ? ending.Answer : EventText.Safe(ending.Answer));
        }
        if (ending.IsCut)
        {
            Console.Error.WriteLine("note: the answer was cut off at the output token limit of the model (max_tokens)");
        }
        var status = ending.Status == RunStatus.Pending ? "stopped" : ending.Status.ToString().ToLowerInvariant();
        var used = ending.Usage is not { } usage
            ? ""
            : $": {usage.Supersteps} supersteps, {usage.ModelCalls} model calls, {usage.ToolCalls} tool calls, "
                + $"{usage.Tokens.Total} tokens{SpendingReport.CostOf(usage)}, {usage.ActiveSeconds:0.00} s";
        Console.Error.WriteLine($"thread {ending.ThreadId} {status}{used}");
    }

    /// <summary>The last message of an agent, or the state of a workflow without messages.</summary>
    private static string Answer(RunOutcome outcome)
    {
        if (outcome.State is not { } state || state.Get<MessageLog>(MessagesChannel.DefaultName)?.Last is { Type: MessageType.Ai })
        {
            return outcome.Output;
        }
        var values = Enumerable
            .Range(0, state.Slots.Length)
            .Where(index =>
                state.Slots[index].Value is not null && state.Channels[index] is not (FilesChannel or MessagesChannel or BarrierChannel)
            )
            .Select(index => (Channel: state.Channels[index], state.Slots[index].Value))
            .Select(it => $"{it.Channel.Name}: {Encoding.UTF8.GetString(it.Channel.EncodeValue(it.Value!))}");
        return string.Join('\n', values);
    }

    private static int Explain(RunEnding ending, NextSteps next)
    {
        switch (ending.Status)
        {
            case RunStatus.Completed:
                return ExitCode.Success;
            case RunStatus.Interrupted or RunStatus.Waiting:
                foreach (var interrupt in ending.Interrupts)
                {
                    foreach (var line in QuestionText.Of(interrupt.Value))
                    {
                        Console.Error.WriteLine(line);
                    }
                    Console.Error.WriteLine($"  {next.Answer(interrupt)}");
                }
                return ExitCode.Interrupted;
            case RunStatus.Failed:
                WriteFailure(ending.Failure);
                Console.Error.WriteLine(
                    $"to retry from the last checkpoint with the same definition (--model selects another model): {next.Resume}"
                );
                return ExitCode.Failed;
            case RunStatus.Cancelled:
                return ExitCode.Cancelled;
            default:
                Console.Error.WriteLine($"stopped at a checkpoint; to continue: {next.Resume}");
                return ExitCode.Stopped;
        }
    }

    private static void WriteFailure(RunFailure? failure)
    {
        Console.Error.WriteLine(
            failure is null ? "error: the run failed" : $"error: {EventText.Safe(failure.Message)} [{EventText.Safe(failure.Code)}]"
        );
        CommandErrors.WriteHint(failure?.Hint is { } hint ? EventText.Safe(hint) : null);
    }
}
