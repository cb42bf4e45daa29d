using System.Globalization;
using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>Validates the settings of the sandbox.</summary>
internal static class SandboxSettingsCheck
{
    private const int HighestUserId = 65535;

    public static IEnumerable<SettingFault> Check(SandboxSettings settings)
    {
        if (LevelOf(settings.Minimum) is null)
        {
            yield return new SettingFault(
                "MINIMUM",
                $"'{settings.Minimum}' is not a level of isolation. Use namespaces, restricted or none."
            );
        }
        if (settings.FirstUserId is < 1 or > HighestUserId - SandboxUsers.Count)
        {
            yield return new SettingFault(
                "FIRST_USER_ID",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{settings.FirstUserId} is not possible. Use a number from 1 to {HighestUserId - SandboxUsers.Count}."
                )
            );
        }
        foreach (var host in settings.AllowedHosts.Split(',', StringSplitOptions.TrimEntries).Where(IsPattern))
        {
            yield return new SettingFault("ALLOWED_HOSTS", $"'{host}' is not a host. Use host, host:port, or * for all public hosts.");
        }
        foreach (var path in settings.ReadablePathList().Where(path => !Path.IsPathRooted(path)))
        {
            yield return new SettingFault("READABLE_PATHS", $"'{path}' is not an absolute path.");
        }
    }

    private static bool IsPattern(string host) => host != EgressProxy.PublicHosts && host.Contains('*', StringComparison.Ordinal);

    /// <summary>The level with this name, or null if there is none.</summary>
    public static SandboxLevel? LevelOf(string name) =>
        name switch
        {
            "none" => SandboxLevel.None,
            "restricted" => SandboxLevel.Restricted,
            "namespaces" => SandboxLevel.Namespaces,
            _ => null,
        };
}
