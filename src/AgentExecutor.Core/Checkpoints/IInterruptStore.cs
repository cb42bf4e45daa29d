using System.Collections.Immutable;

namespace AgentExecutor.Core.Checkpoints;

/// <summary>
/// The questions and external tool calls for which runs wait. The commits of steps store them, this interface records their answers. It
/// shares its threads with an <see cref="ICheckpointStore"/>. The conformance tests specify it.
/// </summary>
public interface IInterruptStore
{
    /// <summary>Returns those of these interrupts that are stored.</summary>
    ValueTask<ImmutableArray<StoredInterrupt>> FindAsync(string threadId, ImmutableArray<string> ids, CancellationToken cancellationToken);

    /// <summary>
    /// Records answers, all in one transaction: an interrupt that is not stored is stored with its answer, and one that has an answer keeps
    /// it. A new answer makes the interrupt due at once. Returns the interrupts as they are stored, in the order of the answers.
    /// </summary>
    /// <param name="answered">The interrupts with their answers.</param>
    ValueTask<ImmutableArray<StoredInterrupt>> RecordAsync(ImmutableArray<StoredInterrupt> answered, CancellationToken cancellationToken);

    /// <summary>
    /// Returns at most <paramref name="atMost"/> interrupts that are due, longest due first, and makes them due again after
    /// <paramref name="hold"/>, so that no other process takes them meanwhile. The cost does not depend on how many are not due.
    /// </summary>
    ValueTask<ImmutableArray<StoredInterrupt>> TakeDueAsync(int atMost, TimeSpan hold, CancellationToken cancellationToken);

    /// <summary>
    /// Stores the next escalation of an interrupt that has no answer, when it is due next, and the message that announces it. Returns
    /// false, and stores nothing, if it has an answer or another process has stored the escalation.
    /// </summary>
    /// <param name="interrupt">The interrupt with its new escalation and due time.</param>
    /// <param name="notice">The message.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    ValueTask<bool> EscalateAsync(StoredInterrupt interrupt, StoredNotice notice, CancellationToken cancellationToken);

    /// <summary>Stores that nothing more is to be done for these interrupts, because their runs have ended.</summary>
    ValueTask CloseAsync(ImmutableArray<StoredInterrupt> interrupts, CancellationToken cancellationToken);
}
