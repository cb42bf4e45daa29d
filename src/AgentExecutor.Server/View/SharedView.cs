using AgentExecutor.Core.Events;

namespace AgentExecutor.Server.View;

/// <summary>A view that events, frames and signals reach from threads of their own.</summary>
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
