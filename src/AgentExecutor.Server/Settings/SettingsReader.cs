using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Graphs.Definitions;

namespace AgentExecutor.Server.Settings;

/// <summary>
/// The only code that reads the environment. Every setting is a variable <c>AGENT_EXECUTOR_*</c> by its path in <see cref="ServerSettings"/>;
/// some have a well-known name besides. A variable with the prefix that names no setting stops the program.
/// </summary>
public static class SettingsReader
{
    public const string Prefix = "AGENT_EXECUTOR_";

    /// <summary>Well-known names, and what they set.</summary>
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

    /// <exception cref="SettingsException">A variable names no setting, or its value does not fit.</exception>
    public static ServerSettings FromEnvironment() => Read(Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
        .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "", StringComparer.Ordinal));

    public static ServerSettings Read(IReadOnlyDictionary<string, string> variables)
    {
        var given = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in variables)
        {
            if (WellKnown.TryGetValue(name, out var known))
            {
                given.TryAdd(known, value);
            }
            else if (name.StartsWith(Prefix, StringComparison.Ordinal))
            {
                given[name[Prefix.Length..]] = value;
            }
        }
        var faults = new List<string>();
        var settings = (ServerSettings)Bind(new ServerSettings(), "", given, faults);
        faults.AddRange(given.Keys.Select(name =>
            $"{Prefix}{name} is no setting ({Spelling.Hint(name, AllNames(), "settings")})"));
        return faults.Count == 0 ? settings : throw new SettingsException(faults);
    }

    /// <summary>All settings by name, without the prefix, in the order of the records.</summary>
    public static IEnumerable<string> AllNames() => Leaves(typeof(ServerSettings), "").Select(leaf => leaf.Name);

    /// <summary>What must be written nowhere: the values of all settings that are secrets.</summary>
    public static IEnumerable<string> SecretsOf(object section) => Properties(section.GetType())
        .Where(property => IsSection(property.PropertyType) || property.PropertyType == typeof(Secret))
        .SelectMany(property => property.GetValue(section) switch
        {
            Secret { IsSet: true } secret => [secret.Value!],
            Secret or null => [],
            var below => SecretsOf(below),
        });

    /// <summary>All settings: name without the prefix, property, and default.</summary>
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

    /// <summary>Takes what it knows out of <paramref name="given"/>.</summary>
    private static object Bind(object section, string prefix, Dictionary<string, string> given, List<string> faults)
    {
        foreach (var property in Properties(section.GetType()))
        {
            var name = prefix + JsonNamingPolicy.SnakeCaseUpper.ConvertName(property.Name);
            if (IsSection(property.PropertyType))
            {
                property.SetValue(section, Bind(property.GetValue(section)!, name + "_", given, faults));
            }
            else if (given.Remove(name, out var text) && text.Length > 0)
            {
                SetValue(section, property, name, text, faults);
            }
        }
        return section;
    }

    private static void SetValue(object section, PropertyInfo property, string name, string text, List<string> faults)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        try
        {
            var value = type == typeof(string) ? text
                : type == typeof(Secret) ? new Secret(text)
                : type.IsEnum ? ReadEnum(type, text)
                : Convert.ChangeType(text, type, CultureInfo.InvariantCulture);
            if (value is IComparable number and not (string or bool or Enum) && number.CompareTo(Convert.ChangeType(0, type, CultureInfo.InvariantCulture)) < 0)
            {
                faults.Add($"{Prefix}{name}: {text} is below 0");
            }
            else if (property.IsDefined(typeof(AboveZeroAttribute)) && value.Equals(Convert.ChangeType(0, type, CultureInfo.InvariantCulture)))
            {
                faults.Add($"{Prefix}{name}: it must be above 0");
            }
            property.SetValue(section, value);
        }
        catch (Exception exception) when (exception is FormatException or OverflowException or InvalidCastException)
        {
            faults.Add($"{Prefix}{name}: '{text}' is no {(type == typeof(bool) ? "true or false" : "number")}");
        }
        catch (ArgumentException)
        {
            faults.Add($"{Prefix}{name}: '{text}' is none of {string.Join(", ", Enum.GetNames(type).Select(JsonNamingPolicy.SnakeCaseLower.ConvertName))}");
        }
    }

    private static object ReadEnum(Type type, string text) => Enum.Parse(type, text.Replace("_", "", StringComparison.Ordinal), ignoreCase: true);

    private static IEnumerable<PropertyInfo> Properties(Type type) =>
        type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanWrite);

    private static bool IsSection(Type type) => type is { IsClass: true } && type != typeof(string);
}
