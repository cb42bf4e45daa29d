using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using Microsoft.Data.Sqlite;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>How rows hold checkpoints and runs.</summary>
internal static class SqliteRows
{
    public const string CheckpointColumns = "checkpoint_id, parent_id, run_id, step, source, time, channels, due";

    public const string RunColumns =
        "thread_id, run_id, fence, status, name, trace_id, definition_hash, attempt, last_sequence, created_at, updated_at, usage, failure";

    /// <summary>Of a thread's runs: the newest that was taken, or the first that waits.</summary>
    public const string NewestFirst = "ORDER BY fence DESC, job";

    public static StoredCheckpoint ReadCheckpoint(SqliteDataReader row, string threadId, string ns)
    {
        var (channels, updated) = ReadChannels(row.GetString(6));
        return new StoredCheckpoint
        {
            ThreadId = threadId,
            Namespace = ns,
            Id = row.GetString(0),
            ParentId = row.IsDBNull(1) ? null : row.GetString(1),
            RunId = row.GetString(2),
            Step = row.GetInt32(3),
            Source = Enum.Parse<CheckpointSource>(row.GetString(4), ignoreCase: true),
            Time = ReadTime(row.GetString(5)),
            Channels = channels,
            Updated = updated,
            Due = row.GetFieldValue<byte[]>(7),
        };
    }

    /// <summary>
    /// A list a channel: name, version, its place among the updated (from 1; 0 where it was not updated), and for delta channels the updates and supersteps since the whole
    /// value. Older files have a 1 for every channel that was updated: they keep the order of the channels.
    /// </summary>
    public static string WriteChannels(StoredCheckpoint checkpoint) => JsonBytes.WriteText(checkpoint, static (writer, it) =>
    {
        writer.WriteStartArray();
        foreach (var channel in it.Channels)
        {
            writer.WriteStartArray();
            writer.WriteStringValue(channel.Name);
            writer.WriteNumberValue(channel.Version);
            writer.WriteNumberValue(it.Updated.IndexOf(channel.Name) + 1);
            if (channel.IsDelta)
            {
                writer.WriteNumberValue(channel.Updates);
                writer.WriteNumberValue(channel.Supersteps);
            }
            writer.WriteEndArray();
        }
        writer.WriteEndArray();
    });

    public static StoredToolCall ReadToolCall(SqliteDataReader row, string taskId) => new()
    {
        TaskId = taskId,
        Namespace = row.GetString(0),
        Tool = row.GetString(1),
        CallId = row.GetString(2),
        StartedAt = ReadTime(row.GetString(3)),
        Outcome = row.IsDBNull(4) ? null : new StoredOutcome(row.GetString(6), row.GetBoolean(5), ReadTime(row.GetString(4))),
    };

    public static string WriteTime(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffffffZ", CultureInfo.InvariantCulture);

    public static RunStatus ReadStatus(string name) => Enum.Parse<RunStatus>(name, ignoreCase: true);

    public static Run ReadRun(SqliteDataReader row) => new()
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
        CreatedAt = ReadTime(row.GetString(9)),
        UpdatedAt = ReadTime(row.GetString(10)),
        Usage = RunJson.ReadUsage(JsonElement.Parse(row.GetString(11))),
        Failure = row.IsDBNull(12) ? null : RunJson.ReadFailure(JsonElement.Parse(row.GetString(12))),
    };

    public static (ImmutableArray<ChannelVersion> Channels, ImmutableArray<string> Updated) ReadChannels(string json)
    {
        var list = JsonElement.Parse(json);
        var channels = ImmutableArray.CreateBuilder<ChannelVersion>(list.GetArrayLength());
        var updated = new List<(int Place, string Name)>();
        foreach (var item in list.EnumerateArray())
        {
            var isDelta = item.GetArrayLength() > 3;
            var name = item[0].GetString()!;
            channels.Add(new ChannelVersion(name, item[1].GetInt32(), isDelta, isDelta ? item[3].GetInt32() : 0, isDelta ? item[4].GetInt32() : 0));
            if (item[2].GetInt32() is > 0 and var place)
            {
                updated.Add((place, name));
            }
        }
        return (channels.MoveToImmutable(), [.. updated.OrderBy(it => it.Place).Select(it => it.Name)]);
    }

    private static DateTimeOffset ReadTime(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind);
}
