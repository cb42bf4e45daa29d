using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Schemas;

namespace AgentExecutor.Core.Agents.Output;

/// <summary>
/// Checks a final answer against the agent's schema. An answer that does not match stays in the conversation, followed by a message that
/// lists the problems, and the model answers once more. If that answer does not match either, the run fails.
/// </summary>
internal static class AnswerCheck
{
    private const int MaxFaults = 10;

    /// <summary>Writes the answer, together with either its value or a request to correct it.</summary>
    /// <exception cref="FaultException">The second answer does not match the schema either
    /// (<see cref="FaultCodes.InvalidOutput"/>).</exception>
    public static void Write(OutputFormat format, Message answer, NodeContext context)
    {
        var faults = format.Check(answer.Text, out var value);
        if (faults.Count == 0)
        {
            context.Write(AgentState.Messages, MessageUpdate.Append(answer));
            context.WriteJson(AgentState.StructuredResponse, value);
            return;
        }
        if (context.State.Messages.LastOf(MessageType.Human) is { } last && AgentMessages.IsRepair(last))
        {
            throw new FaultException(
                FaultCodes.InvalidOutput,
                $"the answer of {answer.Name} does not match its response_format: {string.Join("; ", faults.Take(MaxFaults).Select(Line))}",
                "relax the schema, describe the expected answer in the system prompt, or use a more capable model"
            );
        }
        context.Write(AgentState.Messages, MessageUpdate.Append([answer, AgentMessages.Repair(context.TaskId, Request(faults))]));
    }

    private static string Request(IReadOnlyList<SchemaFault> faults) =>
        $"""
            Your answer does not match the required JSON Schema:
            {string.Join('\n', faults.Take(MaxFaults).Select(fault => $"- {Line(fault)}"))}
            Answer again with the complete, corrected JSON and nothing else.
            """;

    private static string Line(SchemaFault fault) => $"{fault.Path} {fault.Message}";
}
