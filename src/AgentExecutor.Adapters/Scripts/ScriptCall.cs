using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>A call of a script, with the part of the state that the script reads.</summary>
/// <param name="Context">The task and the model's call.</param>
/// <param name="Arguments">The arguments, which match the schema.</param>
/// <param name="Channels">The channels that the script reads; null for the whole state.</param>
internal sealed record ScriptCall(ToolContext Context, JsonElement Arguments, IReadOnlyList<string>? Channels)
{
    /// <summary>The time format of files, as scripts know it from Python's <c>isoformat</c>.</summary>
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.ffffffzzz";

    /// <summary>Returns the call as the JSON that the Python runner reads.</summary>
    public byte[] ToJson() => JsonBytes.Write(this, static (writer, call) => call.Write(writer));

    private void Write(Utf8JsonWriter writer)
    {
        var run = Context.Node.Session.Run;
        writer.WriteStartObject();
        writer.WritePropertyName("arguments"u8);
        Arguments.WriteTo(writer);
        writer.WriteString("call_id"u8, Context.Call.Id);
        writer.WriteString("idempotency_key"u8, Context.IdempotencyKey);
        writer.WriteString("thread_id"u8, run.ThreadId);
        writer.WriteString("run_id"u8, run.RunId);
        writer.WriteString("agent"u8, Context.Agent);
        writer.WriteString("tool"u8, Context.Call.Name);
        var names = Context
            .Node.State.State.Channels.Channels.Select(channel => channel.Name)
            .Where(name => ChannelNames.FaultOf(name) is null);
        writer.WriteStartArray("channels"u8);
        foreach (var name in names)
        {
            writer.WriteStringValue(name);
        }
        writer.WriteEndArray();
        writer.WriteStartObject("state"u8);
        foreach (var name in Channels is { } wanted ? names.Where(wanted.Contains) : names)
        {
            WriteChannel(writer, name);
        }
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private void WriteChannel(Utf8JsonWriter writer, string name)
    {
        if (name == AgentState.Files)
        {
            writer.WriteStartObject(name);
            foreach (var (path, file) in Context.Node.Files.Entries)
            {
                WriteFile(writer, path, file);
            }
            writer.WriteEndObject();
        }
        else if (Context.Node.State.Json(name) is { ValueKind: not JsonValueKind.Undefined } value)
        {
            writer.WritePropertyName(name);
            value.WriteTo(writer);
        }
        else if (name is AgentState.Messages or AgentState.Todos)
        {
            writer.WriteStartArray(name);
            writer.WriteEndArray();
        }
    }

    private static void WriteFile(Utf8JsonWriter writer, string path, VirtualFile file)
    {
        writer.WriteStartObject(path);
        writer.WriteStartArray("content"u8);
        foreach (var line in file.Content.Split('\n'))
        {
            writer.WriteStringValue(line);
        }
        writer.WriteEndArray();
        writer.WriteString("created_at"u8, file.CreatedAt.ToString(TimeFormat, System.Globalization.CultureInfo.InvariantCulture));
        writer.WriteString("modified_at"u8, file.ModifiedAt.ToString(TimeFormat, System.Globalization.CultureInfo.InvariantCulture));
        writer.WriteEndObject();
    }
}
