namespace AgentExecutor.Core.Events;

/// <summary>Where runs tell what happens. Best effort: a slow or absent watcher never slows a run.</summary>
public interface IEventStream
{
    /// <summary>Hands the event on to those who watch its thread; never waits and never throws.</summary>
    void Publish(EventEnvelope envelope);

    /// <summary>Whoever published the thread's events has let go of the run: what it told and did not store will not be stored by it.</summary>
    void Leave(string threadId);
}
