using AgentExecutor.Core.Checkpoints;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// A batch of commits as one transaction of a few statements, sent together: first those that hold the fences against the threads' rows and lock them, then what
/// the commits store. It takes effect as a whole, or, where a fence does not hold, not at all. Used again and again by one committer.
/// </summary>
internal sealed class CommitBatch
{
    private readonly StepRows _steps = new();
    private readonly ChangeRows _changes = new();
    private readonly BareRows _bare = new();
    private readonly DefinitionRows _definitions = new();
    private readonly CheckpointRows _checkpoints = new();
    private readonly WriteRows _writes = new();
    private readonly ValueRows _values = new();
    private readonly EventRows _events = new();
    private readonly ToolCallRows _toolCalls = new();
    private readonly OutcomeRows _outcomes = new();
    private readonly SettlementRows _settlements = new();
    private readonly ReleaseRows _releases = new();
    private readonly RowSet[] _sets;

    public CommitBatch() => _sets = [_steps, _changes, _bare, _definitions, _checkpoints, _writes, _values, _events, _toolCalls, _outcomes, _settlements, _releases];

    public void Clear()
    {
        foreach (var set in _sets)
        {
            set.Clear();
        }
    }

    /// <param name="isChange">Not by the shorter statement for steps, though it may fit.</param>
    public void Add(StepCommit commit, bool isChange)
    {
        if (commit.Run is null)
        {
            _bare.Add(commit);
        }
        else if (isChange || !StepRows.Fits(commit))
        {
            _changes.Add(commit);
        }
        else
        {
            _steps.Add(commit);
        }
        AddRows(commit);
    }

    /// <param name="isNew">No row of it can be there already; where one is, the whole batch fails.</param>
    public NpgsqlBatch ToSend(NpgsqlConnection connection, bool isNew)
    {
        var batch = new NpgsqlBatch(connection);
        foreach (var set in _sets)
        {
            if (!set.IsEmpty)
            {
                batch.BatchCommands.Add(isNew ? set.First : set.Again);
            }
        }
        return batch;
    }

    private void AddRows(StepCommit commit)
    {
        if (commit.Definition is { } definition)
        {
            _definitions.Add(definition);
        }
        if (commit.Checkpoint is { } checkpoint)
        {
            _checkpoints.Add(checkpoint);
        }
        _writes.Add(commit);
        _values.Add(commit);
        if (commit.Events is { } events)
        {
            _events.Add(commit.ThreadId, events);
        }
        _toolCalls.Add(commit);
        if (commit.Result is { } result)
        {
            _outcomes.Add(commit, result);
        }
        _settlements.Add(commit);
        if (commit.ReleasesReservations)
        {
            _releases.Add(commit.ThreadId);
        }
    }
}
