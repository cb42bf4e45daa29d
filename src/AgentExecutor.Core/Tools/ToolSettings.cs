namespace AgentExecutor.Core.Tools;

/// <summary>How the tools of definitions are called.</summary>
public sealed record ToolSettings
{
    /// <summary>
    /// The effects of tools whose definition says nothing about them: `idempotent` (a call that was in flight when its worker died is made
    /// again with the same key) or `once` (it is not). GET and HEAD requests, and MCP tools that declare that they only read, have no
    /// effects.
    /// </summary>
    public UnstatedEffects DefaultEffects { get; init; } = UnstatedEffects.Idempotent;
}

/// <summary>The effects of tools whose definition says nothing about them.</summary>
public enum UnstatedEffects
{
    /// <summary>A call can be repeated with the same key.</summary>
    Idempotent,

    /// <summary>A call is never repeated if its outcome is unknown.</summary>
    Once,
}
