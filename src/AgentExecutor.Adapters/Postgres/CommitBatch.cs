using AgentExecutor.Core.Checkpoints;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// A batch of commits that is sent as one transaction of a few statements: the first ones check the fencing tokens against the rows of the
/// threads and lock these rows, and the others store the data. The batch takes effect as a whole or, if a fencing token is outdated, not at
/// all. A committer reuses its batch.
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
    private readonly AskedRows _asked = new();
    private readonly AnswerRows _answers = new();
    private readonly NoticeRows _notices = new();
    private readonly SettlementRows _settlements = new();
    private readonly ReleaseRows _releases = new();
    private readonly IRowSet[] _sets;

    public CommitBatch() =>
        _sets = [
            _steps,
            _changes,
            _bare,
            _definitions,
            _checkpoints,
            _writes,
            _values,
            _events,
            _toolCalls,
            _outcomes,
            _asked,
            _answers,
            _notices,
            _settlements,
            _releases,
        ];

    public void Clear()
    {
        foreach (var set in _sets)
        {
            set.Clear();
        }
    }

    /// <param name="isChange">True to use the statement for changes even if the shorter one for steps would do.</param>
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

    /// <param name="isNew">True if none of its rows can exist already. If one does, the whole batch fails.</param>
    /// <param name="lockTimeout">How long to wait for a lock, or null for the default.</param>
    public PostgresCommand ToSend(PostgresConnection connection, bool isNew, TimeSpan? lockTimeout)
    {
        var commands = new List<NpgsqlBatchCommand>(_sets.Length + 1);
        if (lockTimeout is { } timeout)
        {
            commands.Add(new NpgsqlBatchCommand(PostgresConnections.ForTransaction([PostgresConnections.LockTimeout(timeout)])));
        }
        foreach (var set in _sets)
        {
            if (!set.IsEmpty)
            {
                commands.Add(isNew ? set.First : set.Again);
            }
        }
        return connection.Batch(commands);
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
            _events.Add(new EventRow(commit.ThreadId, events));
        }
        _toolCalls.Add(commit);
        if (commit.Result is { } result)
        {
            _outcomes.Add(new OutcomeRow(commit, result));
        }
        _asked.Add(commit);
        _answers.Add(commit);
        _notices.Add(commit);
        _settlements.Add(commit);
        if (commit.ReleasesReservations)
        {
            _releases.Add(commit.ThreadId);
        }
    }
}
