using AgentExecutor.Core;

namespace AgentExecutor.Server.Settings;

/// <summary>Parses the names of roles.</summary>
public static class RoleNames
{
    private const string Hint = "use all, or a comma-separated list of executor and janitor";

    /// <exception cref="FaultException">A role does not exist, or the text names none.</exception>
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
                _ => throw new FaultException("invalid_settings", $"ROLES: there is no role '{name}'", Hint),
            };
        }
        return roles == Role.None ? throw new FaultException("invalid_settings", "ROLES: no role is given", Hint) : roles;
    }
}
