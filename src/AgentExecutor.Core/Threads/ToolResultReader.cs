using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Threads;

/// <summary>Reads the result of an external tool: <c>{status: "success", output?}</c> or <c>{status: "error", error?}</c>.</summary>
public static class ToolResultReader
{
    private const string Hint = """send {"status": "success", "output": ...} or {"status": "error", "error": ...}""";

    /// <returns>An object with <c>status</c>, and <c>output</c> or <c>error</c>. Other members are omitted.</returns>
    /// <exception cref="FaultException"><see cref="FaultCodes.InvalidAnswer"/>: what is wrong.</exception>
    public static JsonElement Read(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw Fault("the result is not a JSON object");
        }
        var status = json.TextProperty("status");
        if (status is not ("success" or "error"))
        {
            throw Fault("'status' is neither success nor error");
        }
        var other = status == "success" ? "error" : "output";
        if (json.Property(other) is not null)
        {
            throw Fault($"a result with the status {status} has no '{other}'");
        }
        var name = status == "success" ? "output" : "error";
        if (json.Property(name) is { } content && InputJson.IsTooDeep(content))
        {
            throw Fault($"'{name}' {InputJson.TooDeep}");
        }
        return JsonBytes.Element(
            (status, name, content: json.Property(name)),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("status"u8, it.status);
                if (it.content is { } content)
                {
                    writer.WritePropertyName(it.name);
                    InputJson.Repaired(content).WriteTo(writer);
                }
                writer.WriteEndObject();
            }
        );
    }

    private static FaultException Fault(string message) => new(FaultCodes.InvalidAnswer, message, Hint);
}
