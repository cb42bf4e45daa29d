using System.Text;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>The event log, with one row per commit.</summary>
internal sealed class EventRows()
    : RowSet<EventRow>(
        Sql,
        KeepExisting,
        Text("thread_id", static it => it.ThreadId),
        Number("sequence", static it => it.Events.Last),
        Bytes("json", static it => it.Events.Json)
    )
{
    private const string Sql = "INSERT INTO $schema.events ($columns) SELECT * FROM unnest($values)";
}

/// <summary>
/// The journal of tool calls. Ids and outputs are bytes, because a model may write a NUL character, which text cannot hold.
/// </summary>
internal sealed class ToolCallRows()
    : RowSet<ToolCallRow>(
        Sql,
        "",
        Text("thread_id", static it => it.ThreadId),
        Text("task_id", static it => it.Call.TaskId),
        Text("checkpoint_ns", static it => it.Call.Namespace),
        Text("tool", static it => it.Call.Tool),
        OptionalBytes("call_id", static it => Encoding.UTF8.GetBytes(it.Call.CallId)),
        Time("started_at", static it => it.Call.StartedAt),
        OptionalTime("ended_at", static it => it.Call.Outcome?.EndedAt),
        OptionalFlag("is_error", static it => it.Call.Outcome?.IsError),
        OptionalBytes("output", static it => it.Call.Outcome is { } outcome ? Encoding.UTF8.GetBytes(outcome.Content) : null),
        OptionalBytes("updates", static it => it.Call.Outcome?.Updates is { } updates ? Encoding.UTF8.GetBytes(updates) : null)
    )
{
    private const string Sql = """
        INSERT INTO $schema.tool_calls ($columns)
        SELECT * FROM unnest($values)
        ON CONFLICT (thread_id, task_id) DO UPDATE SET
            started_at = excluded.started_at, ended_at = excluded.ended_at, is_error = excluded.is_error, output = excluded.output,
            updates = excluded.updates
        """;

    public void Add(StepCommit commit)
    {
        foreach (var call in commit.ToolCalls)
        {
            Add(new ToolCallRow(commit.ThreadId, call));
        }
    }
}

/// <summary>The outcomes to publish. Only submitted runs have them.</summary>
internal sealed class OutcomeRows()
    : RowSet<OutcomeRow>(
        Sql,
        KeepExisting,
        Text("thread_id", static it => it.Commit.ThreadId),
        Number("sequence", static it => it.Result.Sequence),
        Text("run_id", static it => it.Commit.Run!.RunId),
        Text("status", static it => PostgresRows.Name(it.Commit.Run!.Status)),
        Bytes("json", static it => it.Result.Json)
    )
{
    private const string Sql = """
        INSERT INTO $schema.outbox (thread_id, sequence, run_id, status, json, trace_parent)
        SELECT o.*, r.trace_parent
        FROM unnest($values) AS o ($columns) JOIN $schema.runs AS r USING (thread_id, run_id)
        WHERE r.is_queued
        """;
}

/// <summary>Definitions. Each is stored once.</summary>
internal sealed class DefinitionRows : RowSet<StoredDefinition>
{
    private const string Sql = """
        INSERT INTO $schema.definitions (hash, json)
        SELECT DISTINCT ON (hash) hash, json
        FROM unnest($values) AS d ($columns)
        WHERE NOT EXISTS (SELECT FROM $schema.definitions AS e WHERE e.hash = d.hash AND e.retired_at IS NULL)
        ON CONFLICT (hash) DO UPDATE SET retired_at = NULL, checked_at = now()
        """;

    public DefinitionRows()
        : base(Sql, "", Text("hash", static it => it.Hash), Bytes("json", static it => it.Json)) { }
}

/// <summary>The events of a commit.</summary>
internal readonly record struct EventRow(string ThreadId, StoredEvents Events);

/// <summary>A tool call that is about to be made or has ended.</summary>
internal readonly record struct ToolCallRow(string ThreadId, StoredToolCall Call);

/// <summary>An outcome, and the commit that ends the run with it.</summary>
internal readonly record struct OutcomeRow(StepCommit Commit, StoredResult Result);
