using System.Text;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using Npgsql;
using NpgsqlTypes;
using Parts = AgentExecutor.Adapters.Postgres.CommitStatement.Parts;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>A batch of commits as columns, one list a column; used again and again by one committer.</summary>
internal sealed class CommitBatch
{
    private readonly Dictionary<Parts, NpgsqlCommand> _commands = [];

    private readonly List<string> _threadId = [];
    private readonly List<string?> _runId = [];
    private readonly List<long> _fence = [];
    private readonly List<double?> _leaseMs = [];
    private readonly List<long?> _lastSequence = [];
    private readonly List<DateTime?> _updatedAt = [];
    private readonly List<string?> _usage = [];
    private readonly List<string> _namespace = [];
    private readonly List<string?> _under = [];
    private readonly List<string?> _checkpointId = [];
    private readonly List<string?> _parentId = [];
    private readonly List<byte[]?> _checkpoint = [];
    private readonly List<byte[]?> _metadata = [];
    private readonly List<ReadOnlyMemory<byte>?> _due = [];
    private readonly List<long?> _eventsLast = [];
    private readonly List<ReadOnlyMemory<byte>?> _events = [];

    private readonly List<string?> _holder = [];
    private readonly List<string?> _status = [];
    private readonly List<string?> _name = [];
    private readonly List<string?> _traceId = [];
    private readonly List<string?> _definitionHash = [];
    private readonly List<int?> _attempt = [];
    private readonly List<DateTime?> _createdAt = [];
    private readonly List<string?> _failure = [];
    private readonly List<ReadOnlyMemory<byte>?> _definition = [];

    private readonly List<long> _writeOrd = [];
    private readonly List<string> _writeTask = [];
    private readonly List<int> _writeIndex = [];
    private readonly List<string> _writeChannel = [];
    private readonly List<ReadOnlyMemory<byte>> _writeBlob = [];

    private readonly List<long> _valueOrd = [];
    private readonly List<string> _valueChannel = [];
    private readonly List<string> _valueVersion = [];
    private readonly List<ReadOnlyMemory<byte>> _valueBlob = [];

    private readonly List<long> _callOrd = [];
    private readonly List<string> _callTask = [];
    private readonly List<string> _callNamespace = [];
    private readonly List<string> _callTool = [];
    private readonly List<byte[]> _callId = [];
    private readonly List<DateTime> _callStarted = [];
    private readonly List<DateTime?> _callEnded = [];
    private readonly List<bool?> _callIsError = [];
    private readonly List<byte[]?> _callOutput = [];

    private readonly List<long> _outcomeOrd = [];
    private readonly List<long> _outcomeSequence = [];
    private readonly List<ReadOnlyMemory<byte>> _outcomeJson = [];

    private Parts _parts;

    /// <summary>A step changes little of its thread, and goes by the shorter statement.</summary>
    public static bool IsStep(StepCommit commit) => !commit.Acquires && commit.Definition is null && commit.Result is null && commit.Run is { Status: RunStatus.Running };

    public int Count => _threadId.Count;

    public void Clear(bool isChange)
    {
        foreach (var list in Lists())
        {
            list.Clear();
        }
        _parts = isChange ? Parts.Change : Parts.None;
    }

    public void Add(StepCommit commit)
    {
        AddStep(commit);
        if (_parts.HasFlag(Parts.Change))
        {
            AddChange(commit);
        }
        var ord = (long)Count;
        foreach (var write in commit.Writes)
        {
            AddWrite(ord, write);
        }
        foreach (var value in commit.Values)
        {
            AddValue(ord, value);
        }
        foreach (var call in commit.ToolCalls)
        {
            AddToolCall(ord, call);
        }
        if (commit.Result is { } result)
        {
            _parts |= Parts.Outcomes;
            _outcomeOrd.Add(ord);
            _outcomeSequence.Add(result.Sequence);
            _outcomeJson.Add(result.Json);
        }
    }

    /// <summary>The statement for what was added; its parameters are the lists themselves.</summary>
    public NpgsqlCommand Command()
    {
        if (!_commands.TryGetValue(_parts, out var command))
        {
            _commands[_parts] = command = new NpgsqlCommand(CommitStatement.Text(_parts));
            foreach (var parameter in Parameters(_parts))
            {
                command.Parameters.Add(parameter);
            }
        }
        return command;
    }

    private void AddStep(StepCommit commit)
    {
        var (run, checkpoint) = (commit.Run, commit.Checkpoint);
        _threadId.Add(commit.ThreadId);
        _runId.Add(run?.RunId);
        _fence.Add(commit.Fence);
        _leaseMs.Add(run?.Status == RunStatus.Running ? commit.Lease?.Length.TotalMilliseconds : null);
        _lastSequence.Add(run?.LastSequence);
        _updatedAt.Add(run?.UpdatedAt.UtcDateTime);
        _usage.Add(run is null ? null : RunJson.WriteUsage(run.Usage));
        _namespace.Add(commit.Namespace);
        _under.Add(commit.WritesUnder);
        _checkpointId.Add(checkpoint?.Id);
        _parentId.Add(checkpoint?.ParentId);
        _checkpoint.Add(checkpoint is null ? null : PostgresRows.WriteCheckpoint(checkpoint));
        _metadata.Add(checkpoint is null ? null : PostgresRows.WriteMetadata(checkpoint));
        _due.Add(checkpoint?.Due);
        _eventsLast.Add(commit.Events?.Last);
        _events.Add(commit.Events?.Json);
    }

    private void AddChange(StepCommit commit)
    {
        var run = commit.Run;
        // Whoever acquires without a lease is nobody's repetition: a holder that no other has.
        _holder.Add(!commit.Acquires ? "" : commit.Lease?.Holder ?? Guid.NewGuid().ToString("N"));
        _status.Add(run is null ? null : PostgresRows.Name(run.Status));
        _name.Add(run is null ? null : PostgresRows.Shown(run.Name));
        _traceId.Add(run is null ? null : PostgresRows.Shown(run.TraceId));
        _definitionHash.Add(commit.Definition?.Hash ?? run?.DefinitionHash);
        _attempt.Add(run?.Attempt);
        _createdAt.Add(run?.CreatedAt.UtcDateTime);
        _failure.Add(RunJson.WriteFailure(run?.Failure));
        _definition.Add(commit.Definition?.Json);
    }

    private void AddWrite(long ord, StoredWrite write)
    {
        _parts |= Parts.Writes;
        _writeOrd.Add(ord);
        _writeTask.Add(write.TaskId);
        _writeIndex.Add(write.Index);
        _writeChannel.Add(write.Channel);
        _writeBlob.Add(write.Json);
    }

    private void AddValue(long ord, StoredValue value)
    {
        _parts |= Parts.Values;
        _valueOrd.Add(ord);
        _valueChannel.Add(value.Channel);
        _valueVersion.Add(PostgresRows.Version(value.Version));
        _valueBlob.Add(value.Json);
    }

    private void AddToolCall(long ord, StoredToolCall call)
    {
        _parts |= Parts.ToolCalls;
        _callOrd.Add(ord);
        _callTask.Add(call.TaskId);
        _callNamespace.Add(call.Namespace);
        _callTool.Add(call.Tool);
        _callId.Add(Encoding.UTF8.GetBytes(call.CallId));
        _callStarted.Add(call.StartedAt.UtcDateTime);
        _callEnded.Add(call.Outcome?.EndedAt.UtcDateTime);
        _callIsError.Add(call.Outcome?.IsError);
        _callOutput.Add(call.Outcome is { } outcome ? Encoding.UTF8.GetBytes(outcome.Content) : null);
    }

    private IEnumerable<System.Collections.IList> Lists() =>
    [
        _threadId, _runId, _fence, _leaseMs, _lastSequence, _updatedAt, _usage, _namespace, _under, _checkpointId, _parentId, _checkpoint, _metadata, _due,
        _eventsLast, _events,
        _holder, _status, _name, _traceId, _definitionHash, _attempt, _createdAt, _failure, _definition,
        _writeOrd, _writeTask, _writeIndex, _writeChannel, _writeBlob,
        _valueOrd, _valueChannel, _valueVersion, _valueBlob,
        _callOrd, _callTask, _callNamespace, _callTool, _callId, _callStarted, _callEnded, _callIsError, _callOutput,
        _outcomeOrd, _outcomeSequence, _outcomeJson,
    ];

    /// <summary>In the order of the statement's columns.</summary>
    private IEnumerable<NpgsqlParameter> Parameters(Parts parts)
    {
        List<NpgsqlParameter> parameters =
        [
            Array(_threadId, NpgsqlDbType.Text), Array(_runId, NpgsqlDbType.Text), Array(_fence, NpgsqlDbType.Bigint), Array(_leaseMs, NpgsqlDbType.Double),
            Array(_lastSequence, NpgsqlDbType.Bigint), Array(_updatedAt, NpgsqlDbType.TimestampTz), Array(_usage, NpgsqlDbType.Text),
            Array(_namespace, NpgsqlDbType.Text), Array(_under, NpgsqlDbType.Text), Array(_checkpointId, NpgsqlDbType.Text), Array(_parentId, NpgsqlDbType.Text),
            Array(_checkpoint, NpgsqlDbType.Jsonb), Array(_metadata, NpgsqlDbType.Jsonb), Array(_due, NpgsqlDbType.Bytea),
            Array(_eventsLast, NpgsqlDbType.Bigint), Array(_events, NpgsqlDbType.Bytea),
        ];
        if (parts.HasFlag(Parts.Change))
        {
            parameters.AddRange(
            [
                Array(_holder, NpgsqlDbType.Text), Array(_status, NpgsqlDbType.Text), Array(_name, NpgsqlDbType.Text), Array(_traceId, NpgsqlDbType.Text),
                Array(_definitionHash, NpgsqlDbType.Text), Array(_attempt, NpgsqlDbType.Integer), Array(_createdAt, NpgsqlDbType.TimestampTz),
                Array(_failure, NpgsqlDbType.Text), Array(_definition, NpgsqlDbType.Bytea),
            ]);
        }
        if (parts.HasFlag(Parts.Writes))
        {
            parameters.AddRange(
            [
                Array(_writeOrd, NpgsqlDbType.Bigint), Array(_writeTask, NpgsqlDbType.Text), Array(_writeIndex, NpgsqlDbType.Integer),
                Array(_writeChannel, NpgsqlDbType.Text), Array(_writeBlob, NpgsqlDbType.Bytea),
            ]);
        }
        if (parts.HasFlag(Parts.Values))
        {
            parameters.AddRange(
            [
                Array(_valueOrd, NpgsqlDbType.Bigint), Array(_valueChannel, NpgsqlDbType.Text), Array(_valueVersion, NpgsqlDbType.Text),
                Array(_valueBlob, NpgsqlDbType.Bytea),
            ]);
        }
        if (parts.HasFlag(Parts.ToolCalls))
        {
            parameters.AddRange(
            [
                Array(_callOrd, NpgsqlDbType.Bigint), Array(_callTask, NpgsqlDbType.Text), Array(_callNamespace, NpgsqlDbType.Text), Array(_callTool, NpgsqlDbType.Text),
                Array(_callId, NpgsqlDbType.Bytea), Array(_callStarted, NpgsqlDbType.TimestampTz), Array(_callEnded, NpgsqlDbType.TimestampTz),
                Array(_callIsError, NpgsqlDbType.Boolean), Array(_callOutput, NpgsqlDbType.Bytea),
            ]);
        }
        if (parts.HasFlag(Parts.Outcomes))
        {
            parameters.AddRange(
            [
                Array(_outcomeOrd, NpgsqlDbType.Bigint), Array(_outcomeSequence, NpgsqlDbType.Bigint), Array(_outcomeJson, NpgsqlDbType.Bytea),
            ]);
        }
        return parameters;
    }

    private static NpgsqlParameter<List<T>> Array<T>(List<T> column, NpgsqlDbType element) => new() { TypedValue = column, NpgsqlDbType = NpgsqlDbType.Array | element };
}
