using System.Collections;
using System.Reflection;
using System.Text.Json;
using AgentExecutor.Adapters.Http;
using AgentExecutor.Adapters.Mcp;
using AgentExecutor.Core;

namespace AgentExecutor.Server.Settings;

/// <summary>
/// The only code that reads the settings file and environment variables. Every setting has a variable <c>AGENT_EXECUTOR_*</c> named after
/// its path in <see cref="ServerSettings"/>, and some also have a well-known name. An unknown variable with the prefix is an error.
/// </summary>
public static class SettingsReader
{
    public const string Prefix = "AGENT_EXECUTOR_";

    /// <summary>The variable that names the settings file if the command line does not.</summary>
    public const string FileVariable = Prefix + "CONFIG";

    /// <summary>The command line option that names the settings file.</summary>
    public const string FileOption = "--config";

    /// <summary>Well-known variables, and the settings that they set.</summary>
    public static readonly IReadOnlyDictionary<string, string> WellKnown = new Dictionary<string, string>
    {
        ["DATA_DIR"] = "DATA_DIR",
        ["LLM_MODEL_NAME"] = "LLM_MODEL_NAME",
        ["OPENAI_API_KEY"] = "MODEL_SERVERS_OPENAI_API_KEY",
        ["OPENAI_BASE_URL"] = "MODEL_SERVERS_OPENAI_BASE_URL",
        ["ANTHROPIC_API_KEY"] = "MODEL_SERVERS_ANTHROPIC_API_KEY",
        ["ANTHROPIC_BASE_URL"] = "MODEL_SERVERS_ANTHROPIC_BASE_URL",
        ["OLLAMA_API_KEY"] = "MODEL_SERVERS_OLLAMA_API_KEY",
        ["OLLAMA_BASE_URL"] = "MODEL_SERVERS_OLLAMA_BASE_URL",
        ["OPENAI_COMPATIBLE_API_KEY"] = "MODEL_SERVERS_OPENAI_COMPATIBLE_API_KEY",
        ["OPENAI_COMPATIBLE_BASE_URL"] = "MODEL_SERVERS_OPENAI_COMPATIBLE_BASE_URL",
        ["ROLES"] = "ROLES",
        ["LOG_LEVEL"] = "LOG_LEVEL",
        ["POSTGRES_HOST"] = "POSTGRES_HOST",
        ["POSTGRES_PORT"] = "POSTGRES_PORT",
        ["POSTGRES_DB"] = "POSTGRES_DB",
        ["POSTGRES_USER"] = "POSTGRES_USER",
        ["POSTGRES_PASSWORD"] = "POSTGRES_PASSWORD",
        ["POSTGRES_SCHEMA"] = "POSTGRES_SCHEMA",
        ["DATABASE_URL"] = "POSTGRES_URL",
        ["PORT"] = "PORT",
        ["SHUTDOWN_DELAY_SECONDS"] = "SHUTDOWN_DELAY_SECONDS",
        ["ALLOWED_HOSTS"] = "HTTP_ALLOWED_HOSTS",
        ["CORS_ORIGINS"] = "HTTP_ALLOWED_ORIGINS",
        ["PUBLIC_URL"] = "HTTP_PUBLIC_URL",
        ["SIGNING_KEY"] = "SIGNING_KEY",
        ["DRAGONFLY_HOST"] = "REDIS_HOST",
        ["DRAGONFLY_PORT"] = "REDIS_PORT",
        ["DRAGONFLY_PASSWORD"] = "REDIS_PASSWORD",
        ["REDIS_URL"] = "REDIS_URL",
        ["STREAM_STATE"] = "STREAM_STATE",
        ["NATS_URL"] = "NATS_URL",
        ["NATS_STREAM_NAME"] = "NATS_STREAM_NAME",
        ["NATS_CONSUMER_GROUP"] = "NATS_CONSUMER_GROUP",
        ["NATS_CREDS"] = "NATS_CREDS",
        ["NATS_MANAGE_STREAMS"] = "NATS_MANAGE_STREAMS",
    };

    /// <param name="file">The settings file that the command line names; null to use the one that <see cref="FileVariable"/> names, if
    /// any.</param>
    /// <exception cref="SettingsException">A setting is unknown, or its value is invalid.</exception>
    public static ServerSettings FromEnvironment(string? file) =>
        Read(
            Environment
                .GetEnvironmentVariables()
                .Cast<DictionaryEntry>()
                .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "", StringComparer.Ordinal),
            file
        );

    /// <param name="variables">The environment variables.</param>
    /// <param name="file">As in <see cref="FromEnvironment"/>.</param>
    /// <exception cref="SettingsException">A setting is unknown, or its value is invalid.</exception>
    public static ServerSettings Read(IReadOnlyDictionary<string, string> variables, string? file = null)
    {
        var given = new GivenSettings(variables, ReadFile(variables, file));
        var faults = new List<SettingFault>();
        var settings = (ServerSettings)new SettingsBinder(given.Values, faults).Bind(new ServerSettings(), "");
        faults.AddRange(SettingsChecks.Check(settings));
        var secretFaults = new List<string>();
        settings = settings with
        {
            HttpTools = settings.HttpTools.WithSecrets(ReadSecrets(settings.HttpTools.SecretNames(), variables, secretFaults)),
        };
        var serverFaults = new List<string>();
        if (settings.Mcp.ServersFile is { Length: > 0 } servers)
        {
            settings = settings with { Mcp = settings.Mcp.WithServers(McpServersFile.Read(servers, variables, serverFaults)) };
        }
        settings = settings with
        {
            OpenTelemetry = settings.OpenTelemetry.With(variables, ReadSecrets(OpenTelemetrySettings.SecretNames, variables, secretFaults)),
        };
        string[] all =
        [
            .. given.Values.Keys.Select(name => UnknownSettings.Fault(given.SourceOf(name), name)),
            .. given.Faults,
            .. secretFaults,
            .. serverFaults.Select(fault => $"{given.SourceOf("MCP_SERVERS_FILE")}: {fault}"),
            .. settings.OpenTelemetry.Faults().Select(fault => $"{fault.Setting}: {fault.Message}"),
            .. faults.Select(fault => $"{given.SourceOf(fault.Setting)}: {fault.Message}"),
        ];
        return all.Length == 0 ? settings : throw new SettingsException(all);
    }

    private static SettingsFile? ReadFile(IReadOnlyDictionary<string, string> variables, string? file) =>
        file is not null ? SettingsFile.Read(file, FileOption)
        : variables.TryGetValue(FileVariable, out var named) && named.Length > 0 ? SettingsFile.Read(named, FileVariable)
        : null;

    /// <summary>
    /// The secrets that tools may use, each from the variable or from the file that the variable with the suffix <c>_FILE</c> names.
    /// </summary>
    private static Dictionary<string, Secret> ReadSecrets(
        IEnumerable<string> names,
        IReadOnlyDictionary<string, string> variables,
        List<string> faults
    )
    {
        var secrets = new Dictionary<string, Secret>(StringComparer.Ordinal);
        foreach (var name in names)
        {
            if (variables.TryGetValue(name, out var value) && value.Length > 0)
            {
                secrets[name] = new Secret(value);
            }
            else if (variables.TryGetValue($"{name}_FILE", out var path) && path.Length > 0)
            {
                try
                {
                    secrets[name] = new Secret(File.ReadAllText(path).TrimEnd('\r', '\n'));
                }
                catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
                {
                    faults.Add($"{name}_FILE: The file '{path}' cannot be read: {exception.Message}");
                }
            }
        }
        return secrets;
    }

    /// <summary>The names of all settings without the prefix, in the order of the records.</summary>
    public static IEnumerable<string> AllNames() => Leaves(typeof(ServerSettings), "").Select(leaf => leaf.Name);

    /// <summary>The values of all secret settings, which must not be written anywhere.</summary>
    public static IEnumerable<string> SecretsOf(object section) =>
        Properties(section.GetType())
            .Where(property => IsSection(property.PropertyType) || property.PropertyType == typeof(Secret))
            .SelectMany(property =>
                property.GetValue(section) switch
                {
                    Secret { IsSet: true } secret => [secret.Value!],
                    Secret or null => [],
                    McpSettings mcp => mcp.Servers().Values.SelectMany(server => server.Secrets),
                    HttpToolSettings tools => tools.Secrets().Values.Where(secret => secret.IsSet).Select(secret => secret.Value!),
                    OpenTelemetrySettings telemetry => telemetry.Secrets(),
                    var below => SecretsOf(below),
                }
            );

    /// <summary>All settings, each with its name without the prefix, its property and its default.</summary>
    public static IEnumerable<(string Name, PropertyInfo Property, object? Default)> Leaves(Type type, string prefix)
    {
        var defaults = Activator.CreateInstance(type)!;
        foreach (var property in Properties(type))
        {
            var name = prefix + JsonNamingPolicy.SnakeCaseUpper.ConvertName(property.Name);
            if (IsSection(property.PropertyType))
            {
                foreach (var leaf in Leaves(property.PropertyType, name + "_"))
                {
                    yield return leaf;
                }
            }
            else
            {
                yield return (name, property, property.GetValue(defaults));
            }
        }
    }

    internal static IEnumerable<PropertyInfo> Properties(Type type) =>
        type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanWrite);

    internal static bool IsSection(Type type) => type is { IsClass: true } && type != typeof(string);
}
