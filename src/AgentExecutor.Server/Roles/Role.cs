using AgentExecutor.Core;

namespace AgentExecutor.Server.Roles;

/// <summary>What a process does of what the product does.</summary>
[Flags]
public enum Role
{
    None = 0,

    /// <summary>Runs what is submitted.</summary>
    Executor = 1,

    /// <summary>Deletes what need not be kept.</summary>
    Janitor = 2,

    All = Executor | Janitor,
}

/// <summary>Reads roles.</summary>
public static class RoleNames
{
    /// <exception cref="FaultException">There is no such role.</exception>
    public static Role Parse(string text)
    {
        var roles = Role.None;
        foreach (var name in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            roles |= name.ToUpperInvariant() switch
            {
                "ALL" => Role.All,
                "EXECUTOR" => Role.Executor,
                "JANITOR" => Role.Janitor,
                _ => throw new FaultException("invalid_settings", $"ROLES: there is no role '{name}'", "use all, or some of executor and janitor, with commas"),
            };
        }
        return roles == Role.None ? throw new FaultException("invalid_settings", "ROLES names no role", "use all, or some of executor and janitor, with commas") : roles;
    }
}
