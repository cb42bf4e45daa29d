using AgentExecutor.Core;

namespace AgentExecutor.Server.Settings;

/// <summary>Settings are at fault; all faults are in the message.</summary>
public sealed class SettingsException(IReadOnlyList<string> faults)
    : FaultException("invalid_settings", string.Join("; ", faults), "see docs/configuration.md for all settings");
