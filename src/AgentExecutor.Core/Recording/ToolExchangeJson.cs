using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Recording;

/// <summary>
/// A tool call and its result as JSON. Headers, the idempotency key and the id that the model assigned to the call are omitted.
/// </summary>
internal static class ToolExchangeJson
{
    public static JsonElement Request(ToolDefinition definition, JsonElement arguments) =>
        StoredJson.Parse(
            JsonBytes.Write(
                (definition, arguments),
                static (writer, it) =>
                {
                    writer.WriteStartObject();
                    writer.WriteString("tool"u8, it.definition.Name);
                    writer.WriteString("runtime"u8, it.definition.RuntimeType);
                    if (it.definition.Runtime?.Url is { } url)
                    {
                        writer.WriteString("url"u8, url);
                    }
                    if (it.definition.Runtime?.Method is { } method)
                    {
                        writer.WriteString("method"u8, method);
                    }
                    if (it.definition.Runtime?.Script is { } script)
                    {
                        writer.WriteString("script_sha256"u8, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(script))));
                    }
                    writer.WritePropertyName("arguments"u8);
                    it.arguments.WriteTo(writer);
                    writer.WriteEndObject();
                }
            )
        );

    public static JsonElement Response(ToolResult result) =>
        JsonBytes.Element(
            result,
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("content"u8, it.Content);
                writer.WriteBoolean("is_error"u8, it.IsError);
                if (ToolUpdate.ToJson(it.Updates) is { } updates)
                {
                    writer.WritePropertyName("updates"u8);
                    writer.WriteRawValue(updates);
                }
                writer.WriteEndObject();
            }
        );

    public static JsonElement Response(RecordedFault fault) =>
        JsonBytes.Element(
            fault,
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WritePropertyName("fault"u8);
                it.Write(writer);
                writer.WriteEndObject();
            }
        );

    public static ToolResult ReadResponse(JsonElement json) =>
        new(json.TextProperty("content") ?? "", json.Property("is_error") is { ValueKind: JsonValueKind.True })
        {
            Updates = ToolUpdate.Read(json.Property("updates") is { } updates ? JsonBytes.Compact(updates) : null),
        };
}
