using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Runs;

/// <summary>Writes and reads the parts of a run that stores keep as JSON instead of columns.</summary>
public static class RunJson
{
    public static string WriteUsage(RunUsage usage) =>
        JsonBytes.WriteText(
            usage,
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteNumber("supersteps"u8, it.Supersteps);
                writer.WriteNumber("model_calls"u8, it.ModelCalls);
                writer.WriteNumber("tool_calls"u8, it.ToolCalls);
                writer.WriteNumber("active_seconds"u8, it.ActiveSeconds);
                writer.WritePropertyName("tokens"u8);
                MessageJson.WriteUsage(writer, it.Tokens);
                UsageJson.WriteSpending(writer, it);
                writer.WriteEndObject();
            }
        );

    public static string? WriteFailure(RunFailure? failure) =>
        failure is null
            ? null
            : JsonBytes.WriteText(
                failure,
                static (writer, it) =>
                {
                    writer.WriteStartObject();
                    WriteFailure(writer, it);
                    writer.WriteEndObject();
                }
            );

    /// <summary>Writes the members of a failure into an object that is open.</summary>
    public static void WriteFailure(Utf8JsonWriter writer, RunFailure failure)
    {
        writer.WriteString("message"u8, failure.Message);
        writer.WriteString("type"u8, failure.Type);
        writer.WriteString("code"u8, failure.Code);
        if (failure.Hint is not null)
        {
            writer.WriteString("hint"u8, failure.Hint);
        }
    }

    public static RunUsage ReadUsage(JsonElement json) =>
        new(
            json.GetProperty("supersteps").GetInt64(),
            json.GetProperty("model_calls").GetInt64(),
            json.GetProperty("tool_calls").GetInt64(),
            MessageJson.ReadUsage(json.GetProperty("tokens")),
            json.GetProperty("active_seconds").GetDouble()
        )
        {
            CostUsd = UsageJson.Cost(json) ?? 0,
            UnpricedCalls = UsageJson.Count(json, "unpriced_calls"),
            ByModel = UsageJson.ReadByModel(json),
            Earlier = json.Property("earlier") is { } earlier
                ? new(UsageJson.Count(earlier, "tokens"), UsageJson.Cost(earlier) ?? 0)
                : default,
            Raises = UsageJson.ReadRaises(json),
        };

    public static RunFailure ReadFailure(JsonElement json) =>
        new(
            json.TextProperty("code") ?? "",
            json.TextProperty("message") ?? "",
            json.TextProperty("type") ?? "",
            json.TextProperty("hint")
        );
}
