namespace AgentExecutor.Core.Events;

/// <summary>Where runs tell what happens. Best effort: a slow or absent watcher never slows a run.</summary>
public interface IEventStream
{
    /// <summary>Where one attempt of a run tells its events.</summary>
    /// <param name="threadId">The thread.</param>
    /// <param name="last">The last number that the thread is known to have used: everything up to it that is to be stored is.</param>
    IEventSink Open(string threadId, long last);
}

/// <summary>What one attempt of a run tells. Nothing here waits or throws. Disposed of when the run is let go of: what was told and not stored will not be stored by it.</summary>
public interface IEventSink : IDisposable
{
    /// <summary>Hands the event on to those who watch; in the order of the numbers.</summary>
    void Publish(EventEnvelope envelope);

    /// <summary>Of what was published, the log has everything up to this number.</summary>
    void Stored(long last);
}
