using System.Text;
using AgentExecutor.Core.Checkpoints;
using NpgsqlTypes;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>The event log, a row a commit.</summary>
internal sealed class EventRows : RowSet
{
    private const string Sql = "INSERT INTO events (thread_id, sequence, json) SELECT * FROM unnest($1, $2, $3)";

    private readonly List<string> _threadId;
    private readonly List<long> _sequence;
    private readonly List<ReadOnlyMemory<byte>> _json;

    public EventRows()
        : base(Sql, OldStays) => (_threadId, _sequence, _json) = (Text(), Number(), Bytes());

    public void Add(string threadId, StoredEvents events)
    {
        _threadId.Add(threadId);
        _sequence.Add(events.Last);
        _json.Add(events.Json);
    }
}

/// <summary>The journal of tool calls.</summary>
internal sealed class ToolCallRows : RowSet
{
    private const string Sql =
        """
        INSERT INTO tool_calls (thread_id, task_id, checkpoint_ns, tool, call_id, started_at, ended_at, is_error, output)
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (thread_id, task_id) DO UPDATE SET
            started_at = excluded.started_at, ended_at = excluded.ended_at, is_error = excluded.is_error, output = excluded.output
        """;

    private readonly List<string> _threadId;
    private readonly List<string> _taskId;
    private readonly List<string> _namespace;
    private readonly List<string> _tool;
    private readonly List<byte[]> _callId;
    private readonly List<DateTime> _startedAt;
    private readonly List<DateTime?> _endedAt;
    private readonly List<bool?> _isError;
    private readonly List<byte[]?> _output;

    public ToolCallRows()
        : base(Sql)
    {
        (_threadId, _taskId, _namespace, _tool, _callId) = (Text(), Text(), Text(), Text(), Column<byte[]>(NpgsqlDbType.Bytea));
        (_startedAt, _endedAt, _isError, _output) =
            (Time(), Column<DateTime?>(NpgsqlDbType.TimestampTz), Column<bool?>(NpgsqlDbType.Boolean), Column<byte[]?>(NpgsqlDbType.Bytea));
    }

    public void Add(StepCommit commit)
    {
        foreach (var call in commit.ToolCalls)
        {
            _threadId.Add(commit.ThreadId);
            _taskId.Add(call.TaskId);
            _namespace.Add(call.Namespace);
            _tool.Add(call.Tool);
            _callId.Add(Encoding.UTF8.GetBytes(call.CallId)); // bytes, as the output: a model may write a \0, which text cannot hold
            _startedAt.Add(call.StartedAt.UtcDateTime);
            _endedAt.Add(call.Outcome?.EndedAt.UtcDateTime);
            _isError.Add(call.Outcome?.IsError);
            _output.Add(call.Outcome is { } outcome ? Encoding.UTF8.GetBytes(outcome.Content) : null);
        }
    }
}

/// <summary>Outcomes to be announced: those of runs that were submitted.</summary>
internal sealed class OutcomeRows : RowSet
{
    private const string Sql =
        """
        INSERT INTO outbox (thread_id, sequence, run_id, status, json)
        SELECT o.* FROM unnest($1, $2, $3, $4, $5) AS o (thread_id, sequence, run_id, status, json) JOIN runs AS r USING (thread_id, run_id) WHERE r.is_queued
        """;

    private readonly List<string> _threadId;
    private readonly List<long> _sequence;
    private readonly List<string> _runId;
    private readonly List<string> _status;
    private readonly List<ReadOnlyMemory<byte>> _json;

    public OutcomeRows()
        : base(Sql, OldStays) => (_threadId, _sequence, _runId, _status, _json) = (Text(), Number(), Text(), Text(), Bytes());

    public void Add(StepCommit commit, StoredResult result)
    {
        _threadId.Add(commit.ThreadId);
        _sequence.Add(result.Sequence);
        _runId.Add(commit.Run!.RunId);
        _status.Add(PostgresRows.Name(commit.Run.Status));
        _json.Add(result.Json);
    }
}

/// <summary>Definitions, each once.</summary>
internal sealed class DefinitionRows : RowSet
{
    private const string Sql = "INSERT INTO definitions (hash, json) SELECT DISTINCT ON (hash) hash, json FROM unnest($1, $2) AS d (hash, json) ON CONFLICT DO NOTHING";

    private readonly List<string> _hash;
    private readonly List<ReadOnlyMemory<byte>> _json;

    public DefinitionRows()
        : base(Sql) => (_hash, _json) = (Text(), Bytes());

    public void Add(StoredDefinition definition)
    {
        _hash.Add(definition.Hash);
        _json.Add(definition.Json);
    }
}
