using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// A statement of a <see cref="CommitBatch"/> and its rows. The statement and the lists of its rows are reused for every batch.
/// </summary>
internal interface IRowSet
{
    /// <summary>The statement for new rows, which does not look for each row before it is inserted.</summary>
    NpgsqlBatchCommand First { get; }

    /// <summary>The statement for rows that may exist, such as those of a batch that was sent before.</summary>
    NpgsqlBatchCommand Again { get; }

    bool IsEmpty { get; }

    void Clear();
}
