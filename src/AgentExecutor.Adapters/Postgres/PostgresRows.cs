using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Converts checkpoints and runs to and from rows.</summary>
internal static class PostgresRows
{
    public const string CheckpointColumns = "checkpoint_id, parent_checkpoint_id, checkpoint, metadata, due";

    public const string RunColumns =
        "thread_id, run_id, fence, status, name, trace_id, definition_hash, attempt, last_sequence, created_at, updated_at, usage, failure";

    /// <summary>
    /// True for a thread that is not being deleted. Readers find nothing of a thread that is, because some of its rows may be gone already.
    /// <c>$1</c> is the thread.
    /// </summary>
    public const string IsNotBeingDeleted =
        "NOT EXISTS (SELECT FROM $schema.threads WHERE thread_id = $1 AND deletion_started_at IS NOT NULL)";

    private const int FormatVersion = 4;
    private const string Fraction = ".0000000000000000";

    public static string Name<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();

    /// <summary>Formats a version as 32 digits and a fraction of 16, so that versions sort as text.</summary>
    public static string Version(int version) =>
        string.Create(
            32 + Fraction.Length,
            version,
            static (text, version) =>
            {
                version.TryFormat(text, out _, "D32", CultureInfo.InvariantCulture);
                Fraction.CopyTo(text[32..]);
            }
        );

    public static int ReadVersion(string version) =>
        int.Parse(version.AsSpan(0, version.IndexOf('.', StringComparison.Ordinal)), CultureInfo.InvariantCulture);

    public static byte[] WriteCheckpoint(StoredCheckpoint checkpoint) =>
        JsonBytes.Write(
            checkpoint,
            static (writer, it) =>
            {
                Span<char> version = stackalloc char[32 + Fraction.Length];
                Fraction.CopyTo(version[32..]);
                writer.WriteStartObject();
                writer.WriteNumber("v"u8, FormatVersion);
                writer.WriteString("id"u8, it.Id);
                writer.WriteString("ts"u8, it.Time);
                writer.WriteStartObject("channel_versions"u8);
                foreach (var channel in it.Channels)
                {
                    channel.Version.TryFormat(version, out _, "D32", CultureInfo.InvariantCulture);
                    writer.WriteString(channel.Name, version);
                }
                writer.WriteEndObject();
                writer.WriteStartObject("versions_seen"u8);
                writer.WriteEndObject();
                writer.WriteStartObject("channel_values"u8);
                writer.WriteEndObject();
                writer.WriteStartArray("updated_channels"u8);
                foreach (var channel in it.Updated)
                {
                    writer.WriteStringValue(channel);
                }
                writer.WriteEndArray();
                writer.WriteEndObject();
            }
        );

    public static byte[] WriteMetadata(StoredCheckpoint checkpoint) =>
        JsonBytes.Write(
            checkpoint,
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("source"u8, NameOf(it.Source));
                writer.WriteNumber("step"u8, it.Step);
                writer.WriteStartObject("parents"u8);
                writer.WriteEndObject();
                writer.WriteString("run_id"u8, it.RunId);
                writer.WriteStartObject("counters_since_delta_snapshot"u8);
                foreach (var channel in it.Channels)
                {
                    if (channel.IsDelta)
                    {
                        writer.WriteStartArray(channel.Name);
                        writer.WriteNumberValue(channel.Updates);
                        writer.WriteNumberValue(channel.Supersteps);
                        writer.WriteEndArray();
                    }
                }
                writer.WriteEndObject();
                writer.WriteEndObject();
            }
        );

    /// <summary>Reads <see cref="CheckpointColumns"/>.</summary>
    public static StoredCheckpoint ReadCheckpoint(NpgsqlDataReader row, string threadId, string ns)
    {
        var (checkpoint, metadata) = (StoredJson.Parse(row.Bytes("checkpoint")), StoredJson.Parse(row.Bytes("metadata")));
        return new StoredCheckpoint
        {
            ThreadId = threadId,
            Namespace = ns,
            Id = row.Text("checkpoint_id"),
            ParentId = row.OptionalText("parent_checkpoint_id"),
            RunId = metadata.TextProperty("run_id") ?? "",
            Step = metadata.Property("step") is { } step ? step.GetInt32() : 0,
            Source = Enum.Parse<CheckpointSource>(metadata.TextProperty("source") ?? "loop", ignoreCase: true),
            Time = checkpoint.GetProperty("ts").GetDateTimeOffset(),
            Channels = ReadChannels(checkpoint, metadata),
            Updated = checkpoint.Property("updated_channels") is { } updated
                ? [.. updated.EnumerateArray().Select(name => name.GetString()!)]
                : [],
            Due = row.OptionalBytes("due") ?? "[]"u8.ToArray(),
        };
    }

    public static RunStatus ReadStatus(string name) => Enum.Parse<RunStatus>(name, ignoreCase: true);

    /// <summary>Reads <see cref="RunColumns"/>.</summary>
    public static Run ReadRun(NpgsqlDataReader row) =>
        new()
        {
            ThreadId = row.Text("thread_id"),
            RunId = row.Text("run_id"),
            Fence = row.Number("fence"),
            Status = ReadStatus(row.Text("status")),
            Name = row.Text("name"),
            TraceId = row.Text("trace_id"),
            DefinitionHash = row.Text("definition_hash"),
            Attempt = row.Integer("attempt"),
            LastSequence = row.Number("last_sequence"),
            CreatedAt = row.Time("created_at"),
            UpdatedAt = row.Time("updated_at"),
            Usage = RunJson.ReadUsage(StoredJson.Parse(row.Text("usage"))),
            Failure = row.OptionalText("failure") is { } failure ? RunJson.ReadFailure(StoredJson.Parse(failure)) : null,
        };

    /// <summary>Reads the columns <c>task_id</c>, <c>idx</c>, <c>channel</c> and <c>blob</c>.</summary>
    public static StoredWrite ReadWrite(NpgsqlDataReader row) =>
        new(row.Text("task_id"), row.Integer("idx"), row.Text("channel"), row.Bytes("blob"));

    /// <summary>Reads the columns <c>channel</c>, <c>version</c> and <c>blob</c>.</summary>
    public static StoredValue ReadValue(NpgsqlDataReader row) =>
        new(row.Text("channel"), ReadVersion(row.Text("version")), row.Bytes("blob"));

    /// <summary>Reads all columns of a tool call except its thread and task.</summary>
    public static StoredToolCall ReadToolCall(NpgsqlDataReader row, string taskId) =>
        new()
        {
            TaskId = taskId,
            Namespace = row.Text("checkpoint_ns"),
            Tool = row.Text("tool"),
            CallId = Encoding.UTF8.GetString(row.Bytes("call_id")),
            StartedAt = row.Time("started_at"),
            Outcome = row.IsNull("ended_at")
                ? null
                : new StoredOutcome(Encoding.UTF8.GetString(row.Bytes("output")), row.Flag("is_error"), row.Time("ended_at"))
                {
                    Updates = row.IsNull("updates") ? null : Encoding.UTF8.GetString(row.Bytes("updates")),
                },
        };

    /// <summary>Replaces NUL, the only character that PostgreSQL's text type cannot store, in a text that is only displayed.</summary>
    public static string Shown(string text) => text.Contains('\0', StringComparison.Ordinal) ? text.Replace('\0', '\uFFFD') : text;

    private static string NameOf(CheckpointSource source) =>
        source switch
        {
            CheckpointSource.Input => "input",
            CheckpointSource.Loop => "loop",
            CheckpointSource.Update => "update",
            _ => "fork",
        };

    /// <summary>Sorts the channels by name, because jsonb does not preserve their order.</summary>
    private static ImmutableArray<ChannelVersion> ReadChannels(JsonElement checkpoint, JsonElement metadata)
    {
        var counters = metadata.Property("counters_since_delta_snapshot");
        var channels = ImmutableArray.CreateBuilder<ChannelVersion>();
        foreach (var version in checkpoint.GetProperty("channel_versions").EnumerateObject())
        {
            var counter = counters?.Property(version.Name);
            channels.Add(
                new ChannelVersion(
                    version.Name,
                    ReadVersion(version.Value.GetString()!),
                    counter is not null,
                    counter?[0].GetInt32() ?? 0,
                    counter?[1].GetInt32() ?? 0
                )
            );
        }
        channels.Sort(static (one, other) => string.CompareOrdinal(one.Name, other.Name));
        return channels.ToImmutable();
    }
}
