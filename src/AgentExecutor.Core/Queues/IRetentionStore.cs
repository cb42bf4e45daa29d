using System.Collections.Immutable;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Queues;

/// <summary>The operations that the janitor needs from a store, besides deleting and pruning threads.</summary>
public interface IRetentionStore
{
    /// <summary>
    /// Acquires or renews the sweep lease for its holder. Returns false while another holder's lease is valid. The lease only saves
    /// duplicate work: two processes that sweep at once do no harm.
    /// </summary>
    ValueTask<bool> TryLeadAsync(Lease lease, CancellationToken cancellationToken);

    /// <summary>
    /// Returns at most <paramref name="atMost"/> ids of threads whose deletion was started but not finished, in order of their ids and
    /// starting after <paramref name="after"/>. <see cref="Checkpoints.ICheckpointStore.DeleteThreadAsync"/> finishes a deletion.
    /// </summary>
    ValueTask<ImmutableArray<string>> UnfinishedDeletionsAsync(string after, int atMost, CancellationToken cancellationToken);

    /// <summary>
    /// Deletes at most <paramref name="atMost"/> definitions that no run refers to, and returns the number. A definition that is being
    /// submitted is kept.
    /// </summary>
    ValueTask<int> DropDefinitionsAsync(int atMost, CancellationToken cancellationToken);
}
