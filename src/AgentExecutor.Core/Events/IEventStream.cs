namespace AgentExecutor.Core.Events;

/// <summary>Receives the events that runs publish. Delivery is best effort: a slow or absent subscriber never slows down a run.</summary>
public interface IEventStream
{
    /// <summary>Opens the sink for the events of one attempt of a run.</summary>
    /// <param name="threadId">The thread.</param>
    /// <param name="last">The last number that the thread is known to have used. All events up to it that are to be stored have been
    /// stored.</param>
    IEventSink Open(string threadId, long last);
}

/// <summary>
/// Receives the events of one attempt of a run. Its methods neither wait nor throw. It is disposed of when the attempt releases the run;
/// events that were published but not stored by then will not be stored by this attempt.
/// </summary>
public interface IEventSink : IDisposable
{
    /// <summary>Delivers the event to the subscribers. Events must be published in the order of their numbers.</summary>
    void Publish(EventEnvelope envelope);

    /// <summary>Reports that the log contains all published events up to this number.</summary>
    void Stored(long last);
}
