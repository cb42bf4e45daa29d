using AgentExecutor.Core.Events;

namespace AgentExecutor.Server.View;

/// <summary>Shows a run as it happens.</summary>
internal interface IRunView
{
    void Show(EventEnvelope envelope);

    /// <summary>Shows a message of the program itself.</summary>
    void Notice(string text);

    /// <summary>Draws pending changes. Called a few times per second.</summary>
    void Refresh();
}
