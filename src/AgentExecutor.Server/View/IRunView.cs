using AgentExecutor.Core.Events;

namespace AgentExecutor.Server.View;

/// <summary>Shows a run as it happens.</summary>
internal interface IRunView
{
    void Show(EventEnvelope envelope);

    /// <summary>Tells something of the program's own.</summary>
    void Notice(string text);

    /// <summary>Draws what is pending; called a few times a second.</summary>
    void Refresh();
}
