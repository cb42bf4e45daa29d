using AgentExecutor.Core.Events;

namespace AgentExecutor.Server.View;

/// <summary>Synchronises a view that events, timers and signals call from different threads.</summary>
internal sealed class SharedView(IRunView view) : IRunView
{
    private readonly Lock _gate = new();

    public void Show(EventEnvelope envelope)
    {
        lock (_gate)
        {
            view.Show(envelope);
        }
    }

    public void Notice(string text)
    {
        lock (_gate)
        {
            view.Notice(text);
        }
    }

    public void Refresh()
    {
        lock (_gate)
        {
            view.Refresh();
        }
    }
}
