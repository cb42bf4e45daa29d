using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>
/// Completes the files that scripts write: a file may be text, a list of lines, or an object with either as <c>content</c>, and without
/// times it was modified now.
/// </summary>
internal static class FileUpdates
{
    public static ImmutableArray<ToolUpdate> Complete(ImmutableArray<ToolUpdate> updates, NodeContext context) =>
        [
            .. updates.Select(update =>
                update is { Channel: AgentState.Files, Value.ValueKind: JsonValueKind.Object }
                    ? update with
                    {
                        Value = JsonBytes.Element((update.Value, context), static (writer, it) => Write(writer, it.Value, it.context)),
                    }
                    : update
            ),
        ];

    private static void Write(Utf8JsonWriter writer, JsonElement files, NodeContext context)
    {
        writer.WriteStartObject();
        foreach (var file in files.EnumerateObject())
        {
            writer.WritePropertyName(file.Name);
            if (Content(file.Value) is not { } content)
            {
                file.Value.WriteTo(writer); // null deletes the file; anything else is refused by the channel
                continue;
            }
            var known = FilePath.TryNormalize(file.Name, out var path, out _) ? context.Files[path] : null;
            writer.WriteStartObject();
            writer.WritePropertyName("content"u8);
            content.WriteTo(writer);
            writer.WriteString("created_at"u8, Time(file.Value, "created_at") ?? known?.CreatedAt ?? context.Now);
            writer.WriteString("modified_at"u8, Time(file.Value, "modified_at") ?? context.Now);
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }

    private static JsonElement? Content(JsonElement file) =>
        file.ValueKind switch
        {
            JsonValueKind.String or JsonValueKind.Array => file,
            JsonValueKind.Object => file.Property("content"),
            _ => null,
        };

    private static DateTimeOffset? Time(JsonElement file, string name) =>
        file.Property(name) is { ValueKind: JsonValueKind.String } text && text.TryGetDateTimeOffset(out var time) ? time : null;
}
