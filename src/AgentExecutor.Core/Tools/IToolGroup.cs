namespace AgentExecutor.Core.Tools;

/// <summary>
/// A tool that stands for all tools of a server. Models see the tools that the server offers at the time of their call; they see the group
/// itself only while its tools are not known.
/// </summary>
public interface IToolGroup
{
    /// <summary>Returns true if a tool with this name belongs to the group, whether the server offers it or not.</summary>
    bool Claims(string name);

    /// <summary>
    /// Returns the tools that the server offers, ordered by name. Returns null if they are not known because the server cannot be reached.
    /// </summary>
    /// <param name="refresh">True to ask the server even if a recent list is known.</param>
    /// <param name="cancellationToken">Cancels the request.</param>
    ValueTask<IReadOnlyList<Tool>?> ListAsync(bool refresh, CancellationToken cancellationToken);
}
