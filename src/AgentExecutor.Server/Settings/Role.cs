namespace AgentExecutor.Server.Settings;

/// <summary>The roles of a process of <c>serve</c>: which of the service's work it does besides HTTP.</summary>
[Flags]
public enum Role
{
    None = 0,

    /// <summary>Executes submitted runs.</summary>
    Executor = 1,

    /// <summary>Deletes expired data.</summary>
    Janitor = 2,

    All = Executor | Janitor,
}
