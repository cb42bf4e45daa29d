using System.Data;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Reads a checkpoint and the data from which its state is rebuilt, in one snapshot:
/// <list type="number">
/// <item>the checkpoint, the values that it refers to, and the writes pending under it;</item>
/// <item>if delta channels need them, the ids of its ancestors, back to the oldest whole value;</item>
/// <item>the writes under those ancestors, and the whole values.</item>
/// </list>
/// </summary>
internal static class PostgresLoad
{
    public static async Task<LoadedCheckpoint?> LoadAsync(
        PostgresConnection connection,
        string threadId,
        string ns,
        string? checkpointId,
        CancellationToken cancellationToken
    )
    {
        await using var snapshot = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        var history = new PostgresHistory(connection, threadId, ns);
        var checkpoint = await history.ReadAsync(checkpointId, cancellationToken);
        if (checkpoint is null)
        {
            return null;
        }
        await history.ReadAncestorsAsync(checkpoint, cancellationToken);
        await snapshot.CommitAsync(cancellationToken);
        var values = checkpoint
            .Channels.Where(channel => !channel.IsDelta)
            .Select(channel => new StoredValue(channel.Name, channel.Version, history.ValueOf(channel.Name, channel.Version)))
            .Where(value => value.Json.Length > 0);
        return new LoadedCheckpoint(
            checkpoint,
            [.. values],
            DeltaWalk.Histories(checkpoint, history),
            [.. history.WritesUnder(checkpoint.Id)]
        );
    }
}
