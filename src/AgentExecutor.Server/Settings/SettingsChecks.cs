using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Server.Logging;

namespace AgentExecutor.Server.Settings;

/// <summary>Validates settings: each by itself, and combinations that contradict each other.</summary>
internal static class SettingsChecks
{
    private const int HighestPort = 65535;
    private const int ShortestSigningKey = 16;

    /// <summary>Returns all errors, each with the full name of the setting, without the prefix.</summary>
    public static IEnumerable<SettingFault> Check(ServerSettings settings) =>
        [
            .. Below("POSTGRES", AdapterCatalog.Check(settings.Postgres)),
            .. Below("NATS", AdapterCatalog.Check(settings.Nats)),
            .. Below("REDIS", AdapterCatalog.Check(settings.Redis)),
            .. Below("MODEL_SERVERS", AdapterCatalog.Check(settings.ModelServers)),
            .. Below("SANDBOX", AdapterCatalog.Check(settings.Sandbox)),
            .. Below("HTTP", HttpChecks.Check(settings.Http)),
            .. CheckPort(settings.Port),
            .. CheckSigningKey(settings.SigningKey),
            .. Faults("ROLES", () => RoleNames.Parse(settings.Roles)),
            .. Faults("LOG_LEVEL", () => LineLoggers.Level(settings.LogLevel)),
            .. settings.LlmModelName is { Length: > 0 } model ? CheckModel(settings, model) : [],
            .. settings.SkillsDir is { Length: > 0 } skills ? Faults("SKILLS_DIR", () => SkillsDirectory.Read(skills)) : [],
            .. settings.PricesFile is { Length: > 0 } file ? Faults("PRICES_FILE", () => PriceFile.Read(file)) : [],
            .. CheckTogether(settings),
        ];

    private static IEnumerable<SettingFault> Below(string section, IEnumerable<SettingFault> faults) =>
        faults.Select(fault => fault with { Setting = $"{section}_{fault.Setting}" });

    private static IEnumerable<SettingFault> CheckPort(int port)
    {
        if (port > HighestPort)
        {
            yield return new SettingFault("PORT", $"{port} is not a port number. Use a number from 0 to {HighestPort}.");
        }
    }

    private static IEnumerable<SettingFault> CheckSigningKey(Secret key)
    {
        if (key.IsSet && key.Value!.Length < ShortestSigningKey)
        {
            yield return new SettingFault(
                "SIGNING_KEY",
                $"The key has fewer than {ShortestSigningKey} characters. Use a random text, for example of: openssl rand -hex 32."
            );
        }
    }

    private static IEnumerable<SettingFault> CheckModel(ServerSettings settings, string name)
    {
        var known = AdapterCatalog.ModelProviders(settings.ModelServers, TimeProvider.System).Select(provider => provider.Name).ToList();
        if (ModelNames.Parse(name).Provider is var provider && !known.Contains(provider))
        {
            yield return new SettingFault(
                "LLM_MODEL_NAME",
                $"There is no model provider '{provider}' ({Spelling.Hint(provider, known, "providers")}). Use provider:model."
            );
        }
    }

    private static IEnumerable<SettingFault> CheckTogether(ServerSettings settings)
    {
        if (settings.Bus.DuplicateMinutes > settings.Bus.JobHours * 60)
        {
            yield return new SettingFault(
                "BUS_DUPLICATE_MINUTES",
                FormattableString.Invariant(
                    $"{settings.Bus.DuplicateMinutes} minutes exceed AGENT_EXECUTOR_BUS_JOB_HOURS ({settings.Bus.JobHours} hours)."
                )
            );
        }
        var (first, max) = (settings.Models.FirstDelaySeconds, settings.Models.MaxDelaySeconds);
        if (first > max)
        {
            yield return new SettingFault(
                "MODELS_FIRST_DELAY_SECONDS",
                FormattableString.Invariant($"{first} exceeds AGENT_EXECUTOR_MODELS_MAX_DELAY_SECONDS ({max}).")
            );
        }
    }

    private static string Sentence(string text) => $"{char.ToUpperInvariant(text[0])}{text[1..]}.";

    private static IEnumerable<SettingFault> Faults(string setting, Action read)
    {
        SettingFault? fault = null;
        try
        {
            read();
        }
        catch (FaultException exception)
        {
            fault = new SettingFault(
                setting,
                $"{Sentence(exception.Message.Replace($"{setting}: ", "", StringComparison.Ordinal))} {Sentence(exception.Hint!)}"
            );
        }
        if (fault is not null)
        {
            yield return fault;
        }
    }
}
