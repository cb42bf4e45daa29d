using System.Text.Json;
using AgentExecutor.Core.Json;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Recording;

/// <summary>
/// A tool call of a model as <c>{"id", "name", "arguments"}</c>. Arguments that are not a JSON object are stored as <c>"malformed"</c>, as
/// the model wrote them.
/// </summary>
internal static class ToolCallJson
{
    public static void Write(Utf8JsonWriter writer, FunctionCallContent call)
    {
        writer.WriteStartObject();
        writer.WriteString("id"u8, call.CallId);
        writer.WriteString("name"u8, call.Name);
        if (call.Exception is not null)
        {
            writer.WriteString("malformed"u8, call.RawRepresentation?.ToString() ?? "");
        }
        else if (call.Arguments is { } arguments)
        {
            writer.WritePropertyName("arguments"u8);
            JsonSerializer
                .SerializeToElement(arguments, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(IDictionary<string, object?>)))
                .WriteTo(writer);
        }
        writer.WriteEndObject();
    }

    public static FunctionCallContent Read(JsonElement json)
    {
        var (id, name) = (json.TextProperty("id") ?? "", json.TextProperty("name") ?? "");
        return json.TextProperty("malformed") is { } raw
            ? new FunctionCallContent(id, name)
            {
                RawRepresentation = raw,
                Exception = new JsonException("The arguments are not an object."),
            }
            : new FunctionCallContent(
                id,
                name,
                json.Property("arguments") is { ValueKind: JsonValueKind.Object } arguments
                    ? arguments.EnumerateObject().ToDictionary(it => it.Name, object? (it) => it.Value)
                    : null
            );
    }
}
