using System.CommandLine;
using AgentExecutor.Core;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.Composition;
using AgentExecutor.Server.View;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor show</c>.</summary>
internal static class ShowCommand
{
    public static Command Create()
    {
        var thread = CommonOptions.Thread();
        var checkpoint = new Option<string?>("--checkpoint")
        {
            HelpName = "ID",
            Description = "The checkpoint to show. Default: the newest.",
        };
        var ns = new Option<string>("--ns")
        {
            HelpName = "NAMESPACE",
            Description = "The namespace of a sub-agent, as printed by 'history --all'.",
            DefaultValueFactory = _ => "",
        };
        var file = new Option<string?>("--file") { HelpName = "PATH", Description = "Print only this file of the thread." };
        var (json, dataDir) = (CommonOptions.Json(), CommonOptions.DataDir());
        var command = new Command("show", "Show a thread's state: messages, todos, files and other channels.")
        {
            thread,
            checkpoint,
            ns,
            file,
            json,
            dataDir,
        };
        command.SetAction(
            async (result, cancellationToken) =>
            {
                await using var app = await CommandServices.OpenAsync(
                    CommonOptions.Settings(result, result.GetValue(dataDir)),
                    cancellationToken
                );
                var threadId = result.GetValue(thread)!;
                var run = await app.Runs.FindAsync(threadId, cancellationToken) ?? throw HistoryCommand.UnknownThread(threadId);
                var at =
                    await app.Reader.FindAsync(run, result.GetValue(ns)!, result.GetValue(checkpoint), cancellationToken)
                    ?? throw new FaultException(
                        FaultCodes.UnknownCheckpoint,
                        $"the thread '{threadId}' has no checkpoint {result.GetValue(checkpoint)} in the namespace '{result.GetValue(ns)}'",
                        $"list them with: agent-executor history {threadId} --all"
                    );
                if (result.GetValue(file) is { } path)
                {
                    WriteFile(at.State, path);
                }
                else if (result.GetValue(json))
                {
                    Console.WriteLine(StateJson(at.State));
                }
                else
                {
                    WriteRun(run, at, isRoot: result.GetValue(ns)!.Length == 0);
                    await SpendingReport.WriteBudgetsAsync(
                        Console.Out,
                        run,
                        await app.Reader.BudgetOfAsync(run, cancellationToken),
                        app.Store.Budgets,
                        cancellationToken
                    );
                    SpendingReport.WriteTable(Console.Out, run.Usage);
                    WriteState(at.State);
                }
                return ExitCode.Success;
            }
        );
        return command;
    }

    private static void WriteRun(Run run, Position at, bool isRoot)
    {
        Console.WriteLine(
            $"thread {run.ThreadId}: {run.Status.ToString().ToLowerInvariant()}, checkpoint {at.CheckpointId}, step {at.Step}"
        );
        Console.WriteLine(
            $"used {run.Usage.Supersteps} supersteps, {run.Usage.ModelCalls} model calls, {run.Usage.ToolCalls} tool calls, "
                + $"{run.Usage.Tokens.Input} + {run.Usage.Tokens.Output} tokens{SpendingReport.CostOf(run.Usage)}, "
                + $"{run.Usage.ActiveSeconds:0.00} s"
        );
        if (run.Failure is { } failure)
        {
            Console.WriteLine($"failed: {failure.Message} [{failure.Code}]");
        }
        foreach (var interrupt in isRoot ? OpenInterrupts.Of(at) : [])
        {
            Console.WriteLine($"waiting for an answer to {interrupt.Id}: {JsonBytes.Compact(interrupt.Value)}");
        }
        if (!at.Due.IsEmpty)
        {
            Console.WriteLine($"next: {string.Join(", ", at.Due.Select(task => task.Node))}");
        }
    }

    private static void WriteState(ChannelState state)
    {
        for (var i = 0; i < state.Slots.Length; i++)
        {
            switch (state.Slots[i].Value)
            {
                case MessageLog messages:
                    Console.WriteLine("\nmessages");
                    foreach (var message in messages)
                    {
                        WriteMessage(message);
                    }
                    break;
                case FileTree files:
                    Console.WriteLine("\nfiles");
                    foreach (var (path, file) in files.Entries)
                    {
                        Console.WriteLine($"  {path} ({file.Content.Length} characters)");
                    }
                    break;
                case { } value:
                    Console.WriteLine(
                        $"\n{state.Channels[i].Name}\n  {System.Text.Encoding.UTF8.GetString(state.Channels[i].EncodeValue(value))}"
                    );
                    break;
            }
        }
    }

    private static void WriteMessage(Message message)
    {
        var who = message.Name is { } name ? $"{MessageJson.NameOf(message.Type)} {name}" : MessageJson.NameOf(message.Type);
        Console.WriteLine($"  [{who}] {EventText.Short(message.Text, 200)}");
        foreach (var call in message.ToolCalls)
        {
            Console.WriteLine($"      -> {EventText.Of(call)}");
        }
    }

    private static void WriteFile(ChannelState state, string path)
    {
        if (state.Get<FileTree>(FilesChannel.DefaultName)?[path] is not { } file)
        {
            throw new FaultException(
                FaultCodes.InvalidInput,
                $"the thread has no file '{path}'",
                "show the thread without --file to list its files"
            );
        }
        Console.Write(file.Content);
    }

    private static string StateJson(ChannelState state) =>
        JsonBytes.WriteText(
            state,
            static (writer, it) =>
            {
                writer.WriteStartObject();
                for (var i = 0; i < it.Slots.Length; i++)
                {
                    if (it.Slots[i].Value is { } value)
                    {
                        writer.WritePropertyName(it.Channels[i].Name);
                        it.Channels[i].WriteValue(writer, value);
                    }
                }
                writer.WriteEndObject();
            }
        );
}
