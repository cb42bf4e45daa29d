using System.Reflection;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Server.Settings;

/// <summary>
/// A JSON file with settings. Its objects and keys are the sections and settings of <see cref="ServerSettings"/> in snake case, for example
/// <c>{"worker": {"slots": 20}}</c>. Each value has the type of its setting, so numbers and booleans are not quoted.
/// </summary>
internal sealed class SettingsFile
{
    private readonly Dictionary<string, (string Key, string Text)> _values = new(StringComparer.Ordinal);
    private readonly List<string> _faults = [];

    private SettingsFile(string path) => Path = path;

    public string Path { get; }

    /// <summary>The values by the name of the setting, each with its key in the file.</summary>
    public IReadOnlyDictionary<string, (string Key, string Text)> Values => _values;

    /// <summary>The errors in the file. Each names the file and the key.</summary>
    public IReadOnlyList<string> Faults => _faults;

    /// <param name="path">The path of the file.</param>
    /// <param name="source">The option or the variable that names the file.</param>
    public static SettingsFile Read(string path, string source)
    {
        var file = new SettingsFile(path);
        try
        {
            file.ReadSection(InputJson.ParseHandwritten(File.ReadAllBytes(path)), typeof(ServerSettings), "", "");
        }
        catch (JsonException exception)
        {
            // The message of the exception may quote the file, which may contain secrets.
            file._faults.Add(
                $"{path}: The file is not valid JSON{(exception.LineNumber is { } line ? $" (line {line + 1})" : " or repeats a key")}."
            );
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            file._faults.Add($"{source}: The settings file '{path}' cannot be read: {exception.Message}");
        }
        return file;
    }

    private void ReadSection(JsonElement section, Type type, string prefix, string path)
    {
        if (section.ValueKind != JsonValueKind.Object)
        {
            Fault(path.Length == 0 ? "the content" : path.TrimEnd('.'), section, "an object");
            return;
        }
        var properties = SettingsReader
            .Properties(type)
            .ToDictionary(static property => JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name));
        foreach (var (key, value) in section.EnumerateObject().Select(static it => (it.Name, it.Value)))
        {
            if (!properties.TryGetValue(key, out var property))
            {
                _faults.Add(
                    $"{Path}: {path}{key} is not a setting. {GuessFor(path + key)}All settings are listed in docs/configuration.md."
                );
            }
            else if (SettingsReader.IsSection(property.PropertyType))
            {
                ReadSection(value, property.PropertyType, $"{prefix}{key.ToUpperInvariant()}_", $"{path}{key}.");
            }
            else
            {
                ReadValue(value, property, prefix + key.ToUpperInvariant(), path + key);
            }
        }
    }

    private void ReadValue(JsonElement value, PropertyInfo property, string name, string key)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        var (fits, expected) =
            type == typeof(bool) ? (value.ValueKind is JsonValueKind.True or JsonValueKind.False, "true or false")
            : type == typeof(string) || type == typeof(Secret) || type.IsEnum ? (value.ValueKind == JsonValueKind.String, "a string")
            : (value.ValueKind == JsonValueKind.Number, "a number");
        if (fits)
        {
            _values[name] = (key, value.ToString());
        }
        else
        {
            Fault(key, value, expected);
        }
    }

    /// <summary>Adds an error that contains the kind of the value, but not the value itself, which may be a secret.</summary>
    private void Fault(string key, JsonElement value, string expected) =>
        _faults.Add($"{Path}: {key} must be {expected}, not {KindOf(value)}.");

    private static string KindOf(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => "an array",
            JsonValueKind.String => "a string",
            JsonValueKind.Number => "a number",
            JsonValueKind.Null => "null",
            _ => "true or false",
        };

    private static string GuessFor(string key) =>
        Spelling.Nearest(key, Keys(typeof(ServerSettings), "")) is { } near ? $"Did you mean {near}? " : "";

    /// <summary>Every key that a file may contain, after the keys of the objects around it: <c>worker.slots</c>.</summary>
    public static IEnumerable<string> Keys(Type type, string path) =>
        SettingsReader
            .Properties(type)
            .SelectMany(property =>
            {
                var key = path + JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name);
                return SettingsReader.IsSection(property.PropertyType) ? Keys(property.PropertyType, key + ".") : [key];
            });
}
