namespace AgentExecutor.Core.Events;

/// <summary>Carries a thread's events to whoever watches. Best effort: a slow or absent watcher never slows a run.</summary>
public interface IEventStream
{
    /// <summary>Hands the event to all watchers of its thread; never waits and never throws.</summary>
    void Publish(EventEnvelope envelope);

    /// <summary>The thread's events from now on, in order, until cancelled or the watcher falls too far behind.</summary>
    IAsyncEnumerable<EventEnvelope> WatchAsync(string threadId, CancellationToken cancellationToken);
}
