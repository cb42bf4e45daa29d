using AgentExecutor.Core.Events;

namespace AgentExecutor.Server.View;

/// <summary>Shows only messages of the program itself, because the events are written elsewhere.</summary>
internal sealed class NoView : IRunView
{
    public void Show(EventEnvelope envelope)
    {
        // events are written elsewhere
    }

    public void Notice(string text) => Console.Error.WriteLine(text);

    public void Refresh()
    {
        // there is nothing to draw
    }
}
