using System.Collections.Immutable;

namespace AgentExecutor.Core.Events;

/// <summary>
/// Carries live events between processes and keeps the newest events of each thread for a limited time. Delivery is best effort: lost
/// events are in the log, except for chunks. The transport connects by itself and reconnects after an outage.
/// </summary>
public interface IEventTransport : IAsyncDisposable
{
    bool IsConnected { get; }

    /// <summary>
    /// Publishes the events in order and keeps them. Completes when the server has answered for all of them. An event whose number is not
    /// greater than that of the kept events of its thread is published but not kept. Number 1 starts the thread anew and removes the kept
    /// events of an earlier thread with the same id.
    /// </summary>
    /// <returns>The number of events that the server accepted.</returns>
    /// <exception cref="FaultException">The server could not be reached or did not answer in time
    /// (<see cref="FaultCodes.StreamUnavailable"/>). Some of the events may have been published.</exception>
    ValueTask<int> PublishAsync(IReadOnlyList<(string ThreadId, StreamEvent Event)> events, CancellationToken cancellationToken);

    /// <summary>Completes when the transport is connected.</summary>
    Task ConnectedAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Subscribes to the thread's events from now on, until <see cref="Unsubscribe"/>. Events are passed to <paramref name="receive"/> in
    /// the server's order. Completes when the server has confirmed the subscription. There is at most one subscription per thread. After an
    /// outage, the subscription is restored automatically, and <paramref name="restored"/> is called because events may have been missed.
    /// The callbacks must not block or throw.
    /// </summary>
    /// <exception cref="FaultException">The server did not confirm in time (<see cref="FaultCodes.StreamUnavailable"/>). The subscription
    /// is established nevertheless as soon as there is a connection.</exception>
    Task SubscribeAsync(string threadId, Action<StreamEvent> receive, Action restored, CancellationToken cancellationToken);

    /// <summary>Ends the subscription to the thread's events.</summary>
    void Unsubscribe(string threadId);

    /// <summary>
    /// Returns the kept events of the thread with numbers greater than <paramref name="after"/> and up to <paramref name="upTo"/>, in
    /// order. There can be gaps, because older events are removed and some never arrived.
    /// </summary>
    /// <exception cref="FaultException">The server could not be reached (<see cref="FaultCodes.StreamUnavailable"/>).</exception>
    ValueTask<ImmutableArray<StreamEvent>> ReadAsync(string threadId, long after, long upTo, CancellationToken cancellationToken);
}
