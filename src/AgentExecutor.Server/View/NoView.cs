using AgentExecutor.Core.Events;

namespace AgentExecutor.Server.View;

/// <summary>Shows no events, for they are written as they came: only what the program itself has to tell.</summary>
internal sealed class NoView : IRunView
{
    public void Show(EventEnvelope envelope)
    {
        // written already
    }

    public void Notice(string text) => Console.Error.WriteLine(text);

    public void Refresh()
    {
        // nothing is drawn
    }
}
