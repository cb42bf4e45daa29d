using AgentExecutor.Core;

namespace AgentExecutor.Server.Settings;

/// <summary>One or more settings are invalid. The message contains all errors.</summary>
public sealed class SettingsException(IReadOnlyList<string> faults)
    : FaultException("invalid_settings", string.Join(" ", faults), "docs/configuration.md lists all settings")
{
    /// <summary>The errors, each of which starts with the name of its variable.</summary>
    public IReadOnlyList<string> Faults { get; } = faults;
}
