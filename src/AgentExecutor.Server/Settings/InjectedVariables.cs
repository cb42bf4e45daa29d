using System.Text.RegularExpressions;

namespace AgentExecutor.Server.Settings;

/// <summary>
/// The variables that Kubernetes sets in each pod for each service of the namespace. Those of services called <c>agent-executor</c>,
/// <c>postgres</c> or <c>dragonfly</c> would otherwise be read as settings.
/// </summary>
internal static partial class InjectedVariables
{
    public static bool Contains(string name, string value) =>
        Service().IsMatch(name) || (name.EndsWith("_PORT", StringComparison.Ordinal) && Address().IsMatch(value));

    [GeneratedRegex("_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$")]
    private static partial Regex Service();

    [GeneratedRegex("^(tcp|udp|sctp)://")]
    private static partial Regex Address();
}
