using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>How rows hold checkpoints and runs.</summary>
internal static class PostgresRows
{
    public const string CheckpointColumns = "checkpoint_id, parent_checkpoint_id, checkpoint, metadata, due";

    public const string RunColumns =
        "thread_id, run_id, fence, status, name, trace_id, definition_hash, attempt, last_sequence, created_at, updated_at, usage, failure";

    private const int FormatVersion = 4;
    private const string Fraction = ".0000000000000000";

    public static string Name<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    /// <summary>A counter of 32 digits and a fraction of 16: versions sort as text.</summary>
    public static string Version(int version) => string.Create(32 + Fraction.Length, version, static (text, version) =>
    {
        version.TryFormat(text, out _, "D32", CultureInfo.InvariantCulture);
        Fraction.CopyTo(text[32..]);
    });

    public static int ReadVersion(string version) => int.Parse(version.AsSpan(0, version.IndexOf('.', StringComparison.Ordinal)), CultureInfo.InvariantCulture);

    public static byte[] WriteCheckpoint(StoredCheckpoint checkpoint) => JsonBytes.Write(checkpoint, static (writer, it) =>
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
    });

    public static byte[] WriteMetadata(StoredCheckpoint checkpoint) => JsonBytes.Write(checkpoint, static (writer, it) =>
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
    });

    /// <summary>Reads <see cref="CheckpointColumns"/>, from the first column on.</summary>
    public static StoredCheckpoint ReadCheckpoint(NpgsqlDataReader row, string threadId, string ns)
    {
        var (checkpoint, metadata) = (JsonElement.Parse(row.GetFieldValue<byte[]>(2)), JsonElement.Parse(row.GetFieldValue<byte[]>(3)));
        return new StoredCheckpoint
        {
            ThreadId = threadId,
            Namespace = ns,
            Id = row.GetString(0),
            ParentId = row.IsDBNull(1) ? null : row.GetString(1),
            RunId = metadata.TextProperty("run_id") ?? "",
            Step = metadata.Property("step") is { } step ? step.GetInt32() : 0,
            Source = Enum.Parse<CheckpointSource>(metadata.TextProperty("source") ?? "loop", ignoreCase: true),
            Time = checkpoint.GetProperty("ts").GetDateTimeOffset(),
            Channels = ReadChannels(checkpoint, metadata),
            Updated = checkpoint.Property("updated_channels") is { } updated ? [.. updated.EnumerateArray().Select(name => name.GetString()!)] : [],
            Due = row.IsDBNull(4) ? "[]"u8.ToArray() : row.GetFieldValue<byte[]>(4),
        };
    }

    public static RunStatus ReadStatus(string name) => Enum.Parse<RunStatus>(name, ignoreCase: true);

    /// <summary>Reads <see cref="RunColumns"/>, from the first column on.</summary>
    public static Run ReadRun(NpgsqlDataReader row) => new()
    {
        ThreadId = row.GetString(0),
        RunId = row.GetString(1),
        Fence = row.GetInt64(2),
        Status = ReadStatus(row.GetString(3)),
        Name = row.GetString(4),
        TraceId = row.GetString(5),
        DefinitionHash = row.GetString(6),
        Attempt = row.GetInt32(7),
        LastSequence = row.GetInt64(8),
        CreatedAt = row.GetFieldValue<DateTimeOffset>(9),
        UpdatedAt = row.GetFieldValue<DateTimeOffset>(10),
        Usage = RunJson.ReadUsage(JsonElement.Parse(row.GetString(11))),
        Failure = row.IsDBNull(12) ? null : RunJson.ReadFailure(JsonElement.Parse(row.GetString(12))),
    };

    public static StoredToolCall ReadToolCall(NpgsqlDataReader row, string taskId) => new()
    {
        TaskId = taskId,
        Namespace = row.GetString(0),
        Tool = row.GetString(1),
        CallId = System.Text.Encoding.UTF8.GetString(row.GetFieldValue<byte[]>(2)),
        StartedAt = row.GetFieldValue<DateTimeOffset>(3),
        Outcome = row.IsDBNull(4) ? null : new StoredOutcome(
            System.Text.Encoding.UTF8.GetString(row.GetFieldValue<byte[]>(6)), row.GetBoolean(5), row.GetFieldValue<DateTimeOffset>(4)),
    };

    /// <summary>Text without the one character that PostgreSQL's text cannot hold; for what is only shown.</summary>
    public static string Shown(string text) => text.Contains('\0', StringComparison.Ordinal) ? text.Replace('\0', '\uFFFD') : text;

    private static string NameOf(CheckpointSource source) => source switch
    {
        CheckpointSource.Input => "input",
        CheckpointSource.Loop => "loop",
        CheckpointSource.Update => "update",
        _ => "fork",
    };

    /// <summary>By name: jsonb keeps no order of its own.</summary>
    private static ImmutableArray<ChannelVersion> ReadChannels(JsonElement checkpoint, JsonElement metadata)
    {
        var counters = metadata.Property("counters_since_delta_snapshot");
        var channels = ImmutableArray.CreateBuilder<ChannelVersion>();
        foreach (var version in checkpoint.GetProperty("channel_versions").EnumerateObject())
        {
            var counter = counters?.Property(version.Name);
            channels.Add(new ChannelVersion(
                version.Name, ReadVersion(version.Value.GetString()!), counter is not null, counter?[0].GetInt32() ?? 0, counter?[1].GetInt32() ?? 0));
        }
        channels.Sort(static (one, other) => string.CompareOrdinal(one.Name, other.Name));
        return channels.ToImmutable();
    }
}
