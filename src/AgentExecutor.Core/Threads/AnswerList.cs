using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Threads;

/// <summary>
/// Reads the list form of answers: <c>[{interrupt_id, decision: approve/edit/reject/respond, arguments?, message?, value?}]</c>.
/// </summary>
public static class AnswerList
{
    private const string Hint = """
        send {"answers": [{"interrupt_id": "ID", "decision": "approve", "edit", "reject" or "respond", ...}]}
        """;

    private static readonly string[] Decisions = ["approve", "edit", "reject", "respond"];
    private static readonly string[] Fields = ["interrupt_id", "decision", "arguments", "message", "value"];

    /// <returns>The answers by interrupt id.</returns>
    /// <exception cref="FaultException"><see cref="FaultCodes.InvalidAnswer"/>: what is wrong, and in which answer.</exception>
    public static IReadOnlyDictionary<string, JsonElement> Read(JsonElement list)
    {
        var answers = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0)
        {
            throw Fault("'answers' is not a list of at least one answer");
        }
        var index = 0;
        foreach (var item in list.EnumerateArray())
        {
            var at = $"answers[{index++}]";
            var (id, answer) = ReadOne(item, at);
            if (!answers.TryAdd(id, answer))
            {
                throw Fault($"{at}: the interrupt '{id}' has two answers");
            }
        }
        return answers;
    }

    private static (string Id, JsonElement Answer) ReadOne(JsonElement item, string at)
    {
        if (item.ValueKind != JsonValueKind.Object)
        {
            throw Fault($"{at} is not an object");
        }
        if (
            item.EnumerateObject().FirstOrDefault(it => !Fields.Contains(it.Name)) is { Value.ValueKind: not JsonValueKind.Undefined } other
        )
        {
            throw Fault($"{at}: there is no field '{other.Name}'");
        }
        var decision = item.TextProperty("decision");
        if (item.TextProperty("interrupt_id") is not { Length: > 0 } id)
        {
            throw Fault($"{at}: 'interrupt_id' is missing");
        }
        if (decision is null || !Decisions.Contains(decision))
        {
            throw Fault($"{at}: 'decision' is not one of {string.Join(", ", Decisions)}");
        }
        if (decision == "edit" && item.Property("arguments") is not { ValueKind: JsonValueKind.Object })
        {
            throw Fault($"{at}: an edit needs 'arguments', an object");
        }
        if (decision == "respond" && (item.Property("value") ?? item.Property("message")) is null)
        {
            throw Fault($"{at}: a response needs 'value'");
        }
        return (id, Answer(item));
    }

    /// <summary>Returns the answer without the id of its interrupt.</summary>
    private static JsonElement Answer(JsonElement item) =>
        JsonBytes.Element(
            item,
            static (writer, it) =>
            {
                writer.WriteStartObject();
                foreach (var field in it.EnumerateObject().Where(static field => field.Name != "interrupt_id"))
                {
                    writer.WritePropertyName(field.Name);
                    InputJson.Repaired(field.Value).WriteTo(writer);
                }
                writer.WriteEndObject();
            }
        );

    private static FaultException Fault(string message) => new(FaultCodes.InvalidAnswer, message, Hint.Trim());
}
