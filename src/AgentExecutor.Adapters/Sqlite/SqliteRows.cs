using System.Collections.Immutable;
using System.Globalization;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Converts checkpoints, runs and tool calls to and from rows.</summary>
internal static class SqliteRows
{
    public const string CheckpointColumns = "checkpoint_id, parent_id, run_id, step, source, time, channels, due";

    public const string RunColumns =
        "thread_id, run_id, fence, status, name, trace_id, definition_hash, attempt, last_sequence, created_at, updated_at, usage, failure";

    /// <summary>
    /// Puts the newest run of a thread first: the run that was claimed last or, if none was claimed, the one that was submitted first.
    /// </summary>
    public const string NewestFirst = "ORDER BY fence DESC, job";

    /// <summary>The values of <see cref="RunColumns"/> for a row that contains a run.</summary>
    public static SqliteColumn<TRow>[] RunValues<TRow>(Func<TRow, Run> run) =>
        [
            new("thread_id", row => run(row).ThreadId),
            new("run_id", row => run(row).RunId),
            new("fence", row => run(row).Fence),
            new("status", row => Name(run(row).Status)),
            new("name", row => run(row).Name),
            new("trace_id", row => run(row).TraceId),
            new("definition_hash", row => run(row).DefinitionHash),
            new("attempt", row => run(row).Attempt),
            new("last_sequence", row => run(row).LastSequence),
            new("created_at", row => WriteTime(run(row).CreatedAt)),
            new("updated_at", row => WriteTime(run(row).UpdatedAt)),
            new("usage", row => RunJson.WriteUsage(run(row).Usage)),
            new("failure", row => RunJson.WriteFailure(run(row).Failure)),
        ];

    /// <summary>Reads <see cref="RunColumns"/>.</summary>
    public static Run ReadRun(SqliteRowReader row) =>
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

    /// <summary>Reads <see cref="CheckpointColumns"/>.</summary>
    public static StoredCheckpoint ReadCheckpoint(SqliteRowReader row, string threadId, string ns)
    {
        var (channels, updated) = ReadChannels(row.Text("channels"));
        return new StoredCheckpoint
        {
            ThreadId = threadId,
            Namespace = ns,
            Id = row.Text("checkpoint_id"),
            ParentId = row.OptionalText("parent_id"),
            RunId = row.Text("run_id"),
            Step = row.Integer("step"),
            Source = Enum.Parse<CheckpointSource>(row.Text("source"), ignoreCase: true),
            Time = row.Time("time"),
            Channels = channels,
            Updated = updated,
            Due = row.Bytes("due"),
        };
    }

    /// <summary>Reads the columns <c>task_id</c>, <c>idx</c>, <c>channel</c> and <c>json</c>.</summary>
    public static StoredWrite ReadWrite(SqliteRowReader row) =>
        new(row.Text("task_id"), row.Integer("idx"), row.Text("channel"), row.Bytes("json"));

    /// <summary>Reads all columns of a tool call except its thread and task.</summary>
    public static StoredToolCall ReadToolCall(SqliteRowReader row, string taskId) =>
        new()
        {
            TaskId = taskId,
            Namespace = row.Text("ns"),
            Tool = row.Text("tool"),
            CallId = row.Text("call_id"),
            StartedAt = row.Time("started_at"),
            Outcome = row.IsNull("ended_at")
                ? null
                : new StoredOutcome(row.Text("output"), row.Flag("is_error"), row.Time("ended_at"))
                {
                    Updates = row.OptionalText("updates"),
                },
        };

    /// <summary>
    /// Writes the channels of a checkpoint as a JSON array. The item of a channel is an array of its name, its version and its position
    /// among the updated channels (from 1, or 0 if it was not updated). The item of a delta channel also has the number of updates and of
    /// supersteps since its last whole value. In older files every updated channel has the position 1, so the order of the channels is
    /// used.
    /// </summary>
    public static string WriteChannels(StoredCheckpoint checkpoint) =>
        JsonBytes.WriteText(
            checkpoint,
            static (writer, it) =>
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
            }
        );

    /// <summary>Reads what <see cref="WriteChannels"/> has written.</summary>
    public static (ImmutableArray<ChannelVersion> Channels, ImmutableArray<string> Updated) ReadChannels(string json)
    {
        var list = StoredJson.Parse(json);
        var channels = ImmutableArray.CreateBuilder<ChannelVersion>(list.GetArrayLength());
        var updated = new List<(int Position, string Name)>();
        foreach (var item in list.EnumerateArray())
        {
            var isDelta = item.GetArrayLength() > 3;
            var name = item[0].GetString()!;
            channels.Add(
                new ChannelVersion(name, item[1].GetInt32(), isDelta, isDelta ? item[3].GetInt32() : 0, isDelta ? item[4].GetInt32() : 0)
            );
            if (item[2].GetInt32() is > 0 and var position)
            {
                updated.Add((position, name));
            }
        }
        return (channels.MoveToImmutable(), [.. updated.OrderBy(it => it.Position).Select(it => it.Name)]);
    }

    public static string WriteTime(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffffffZ", CultureInfo.InvariantCulture);

    public static RunStatus ReadStatus(string name) => Enum.Parse<RunStatus>(name, ignoreCase: true);

    public static string Name<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();
}
