using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Schemas;

namespace AgentExecutor.Core.Agents.Output;

/// <summary>
/// Holds a final answer to the agent's schema. One that does not fit stays in the conversation with a message that names its faults, and the model answers once
/// more; then the run fails.
/// </summary>
internal static class AnswerCheck
{
    private const int MostFaults = 10;

    /// <summary>Writes the answer, and either its value or the request to mend it.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.InvalidOutput"/>: it is the second that does not fit.</exception>
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
                FaultCodes.InvalidOutput, $"the answer of {answer.Name} does not fit its response_format: {string.Join("; ", faults.Take(MostFaults).Select(Line))}",
                "loosen the schema, say in the system prompt what is wanted, or take a more capable model");
        }
        context.Write(AgentState.Messages, MessageUpdate.Append([answer, AgentMessages.Repair(context.TaskId, Request(faults))]));
    }

    private static string Request(IReadOnlyList<SchemaFault> faults) =>
        $"""
        Your answer does not fit the JSON Schema that it must fit:
        {string.Join('\n', faults.Take(MostFaults).Select(fault => $"- {Line(fault)}"))}
        Answer again with the whole, mended JSON and nothing else.
        """;

    private static string Line(SchemaFault fault) => $"{fault.Path} {fault.Message}";
}
