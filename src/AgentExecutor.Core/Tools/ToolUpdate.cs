using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Tools;

/// <summary>A change of the state that a tool returns together with its result.</summary>
/// <param name="Channel">The name of the channel.</param>
/// <param name="Value">The update, in the JSON form that the channel's reducer accepts.</param>
public readonly record struct ToolUpdate(string Channel, JsonElement Value)
{
    /// <summary>Returns the updates as a JSON array of pairs of channel and value; null if there are none.</summary>
    internal static string? ToJson(ImmutableArray<ToolUpdate> updates) =>
        updates.IsDefaultOrEmpty
            ? null
            : JsonBytes.WriteText(
                updates,
                static (writer, all) =>
                {
                    writer.WriteStartArray();
                    foreach (var (channel, value) in all)
                    {
                        writer.WriteStartArray();
                        writer.WriteStringValue(channel);
                        value.WriteTo(writer);
                        writer.WriteEndArray();
                    }
                    writer.WriteEndArray();
                }
            );

    /// <summary>Reads what <see cref="ToJson"/> has written.</summary>
    internal static ImmutableArray<ToolUpdate> Read(string? json) =>
        json is null ? [] : [.. StoredJson.Parse(json).EnumerateArray().Select(pair => new ToolUpdate(pair[0].GetString()!, pair[1]))];
}
