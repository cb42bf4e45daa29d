using System.Collections.Immutable;

namespace AgentExecutor.Core.Events;

/// <summary>
/// Carries live events between processes and keeps the newest of each thread for a while. Best effort: what it loses is in the log, but for chunks. It connects by
/// itself, and again after an outage.
/// </summary>
public interface IEventTransport : IAsyncDisposable
{
    bool IsConnected { get; }

    /// <summary>
    /// Publishes the events, in order, and keeps them; returns when the server has answered for all of them. An event whose number is not above those that are
    /// kept of its thread is published and not kept; number 1 begins the thread anew, and what was kept of an older one by the same name goes.
    /// </summary>
    /// <returns>How many the server took.</returns>
    /// <exception cref="FaultException"><see cref="FaultCodes.StreamUnavailable"/>: it could not be reached, or did not answer in time; some may have been published.</exception>
    ValueTask<int> PublishAsync(IReadOnlyList<(string ThreadId, StreamEvent Event)> events, CancellationToken cancellationToken);

    /// <summary>Returns once the transport is connected.</summary>
    Task ConnectedAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Hands the thread's events from now on to <paramref name="receive"/>, in the order in which the server has them, until <see cref="Unsubscribe"/>; returns when the server
    /// has confirmed that. A thread has one subscription at a time.
    /// After an outage it is taken up again by itself, and <paramref name="restored"/> is told: events may have been missed. Neither callback may block or throw.
    /// </summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.StreamUnavailable"/>: no confirmation came in time; it is taken up all the same once there is a connection.</exception>
    Task SubscribeAsync(string threadId, Action<StreamEvent> receive, Action restored, CancellationToken cancellationToken);

    /// <summary>No more events of the thread are handed over.</summary>
    void Unsubscribe(string threadId);

    /// <summary>What is still kept of the thread's events with numbers above the one and up to the other, in order. There may be holes: older ones go, and some never came.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.StreamUnavailable"/>.</exception>
    ValueTask<ImmutableArray<StreamEvent>> ReadAsync(string threadId, long after, long upTo, CancellationToken cancellationToken);
}
