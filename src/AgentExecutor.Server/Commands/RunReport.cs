using System.Text.Json;
using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Server.View;

namespace AgentExecutor.Server.Commands;

/// <summary>Tells how a run ended: the answer on standard output, everything about it on standard error.</summary>
internal static class RunReport
{
    /// <summary>Of a run that ran here.</summary>
    public static int Write(RunOutcome outcome, FollowOptions options)
    {
        var run = outcome.Run;
        var ending = new RunEnding(run.ThreadId, run.Status)
        {
            Answer = run.Status == RunStatus.Completed ? Answer(outcome) : "",
            IsCut = outcome.State?.Get<MessageLog>(MessagesChannel.DefaultName)?.Last is { FinishReason: "length", ToolCalls.IsEmpty: true },
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

    /// <summary>Of a run that a service has.</summary>
    /// <param name="isSilent">Standard output holds something else, and not the answer.</param>
    public static int Write(RunEnding ending, bool isSilent)
    {
        WriteAnswer(ending, isSilent);
        return Explain(ending, NextSteps.AtService(ending));
    }

    private static void WriteAnswer(RunEnding ending, bool isSilent)
    {
        if (!isSilent && ending.Status == RunStatus.Completed)
        {
            Console.WriteLine(Console.IsOutputRedirected ? ending.Answer : EventText.Safe(ending.Answer));
        }
        if (ending.IsCut)
        {
            Console.Error.WriteLine("note: the answer was cut off where it reached the most tokens that the model may write (max_tokens)");
        }
        var status = ending.Status == RunStatus.Pending ? "stopped" : ending.Status.ToString().ToLowerInvariant();
        var used = ending.Usage is not { } usage ? ""
            : $": {usage.Supersteps} supersteps, {usage.ModelCalls} model calls, {usage.ToolCalls} tool calls, {usage.Tokens.Total} tokens{SpendingReport.CostOf(usage)}, {usage.ActiveSeconds:0.00} s";
        Console.Error.WriteLine($"thread {ending.ThreadId} {status}{used}");
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

    private static int Explain(RunEnding ending, NextSteps next)
    {
        switch (ending.Status)
        {
            case RunStatus.Completed:
                return ExitCode.Success;
            case RunStatus.Interrupted:
                foreach (var interrupt in ending.Interrupts)
                {
                    WriteQuestion(interrupt.Value);
                    Console.Error.WriteLine($"  {next.Answer(interrupt)}");
                }
                return ExitCode.Interrupted;
            case RunStatus.Failed:
                WriteFailure(ending.Failure);
                Console.Error.WriteLine($"once its cause is mended, try again from the last checkpoint, with the definition as it was (--model takes another model): {next.Resume}");
                return ExitCode.Failed;
            case RunStatus.Cancelled:
                return ExitCode.Cancelled;
            default:
                Console.Error.WriteLine($"stopped at a checkpoint; to go on: {next.Resume}");
                return ExitCode.Stopped;
        }
    }

    /// <summary>What it says for people, where it says something; else all of it.</summary>
    private static void WriteQuestion(JsonElement question)
    {
        if (question.TextProperty("message") is not { } message)
        {
            Console.Error.WriteLine($"waits for an answer: {EventText.Safe(JsonBytes.Compact(question))}");
            return;
        }
        Console.Error.WriteLine($"waits for an answer: {EventText.Safe(message)}");
        if (question.TextProperty("note") is { } note)
        {
            Console.Error.WriteLine($"  {EventText.Safe(note)}");
        }
        if (question.Property("allowed") is { ValueKind: JsonValueKind.Array } allowed)
        {
            Console.Error.WriteLine($"  answers: {EventText.Safe(string.Join(", ", allowed.EnumerateArray().Select(JsonBytes.Display)))}");
        }
    }

    private static void WriteFailure(RunFailure? failure)
    {
        Console.Error.WriteLine(failure is null ? "error: it failed" : $"error: {EventText.Safe(failure.Message)} [{EventText.Safe(failure.Code)}]");
        CommandErrors.WriteHint(failure?.Hint is { } hint ? EventText.Safe(hint) : null);
    }
}
