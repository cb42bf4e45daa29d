using AgentExecutor.Core;

namespace AgentExecutor.Server.Settings;

/// <summary>
/// The settings of the settings file and of the environment, and where each of them was set. A variable takes precedence over the file.
/// </summary>
internal sealed class GivenSettings
{
    /// <summary>A variable with this suffix names a file that contains a secret.</summary>
    private const string FileSuffix = "_FILE";

    private readonly Dictionary<string, string> _sources = new(StringComparer.Ordinal);
    private readonly HashSet<string> _fromFile = new(StringComparer.Ordinal);
    private readonly List<string> _faults = [];

    public GivenSettings(IReadOnlyDictionary<string, string> variables, SettingsFile? file)
    {
        if (file is not null)
        {
            Add(file);
        }
        var secrets = SettingsReader
            .Leaves(typeof(ServerSettings), "")
            .Where(leaf => leaf.Property.PropertyType == typeof(Secret))
            .Select(leaf => leaf.Name)
            .ToHashSet(StringComparer.Ordinal);
        foreach (var (variable, value) in variables.OrderBy(it => it.Key, StringComparer.Ordinal))
        {
            if (value.Length == 0 || variable == SettingsReader.FileVariable || InjectedVariables.Contains(variable, value))
            {
                continue;
            }
            if (NameOf(variable) is { } name)
            {
                Set(name, variable, value);
            }
            else if (
                variable.EndsWith(FileSuffix, StringComparison.Ordinal)
                && NameOf(variable[..^FileSuffix.Length]) is { } secret
                && secrets.Contains(secret)
            )
            {
                ReadFile(secret, variable, value, variables);
            }
            else if (variable.StartsWith(SettingsReader.Prefix, StringComparison.OrdinalIgnoreCase))
            {
                Set(variable[SettingsReader.Prefix.Length..], variable, value);
            }
        }
    }

    /// <summary>The values by setting name, without the prefix. Unknown settings are included.</summary>
    public Dictionary<string, string> Values { get; } = new(StringComparer.Ordinal);

    /// <summary>Errors in the settings file and in secret files.</summary>
    public IReadOnlyList<string> Faults => _faults;

    /// <summary>The variable, or the file and the key in it, that set the setting; else the variable with which it can be set.</summary>
    public string SourceOf(string name) =>
        _sources.GetValueOrDefault(name)
        ?? SettingsReader.WellKnown.FirstOrDefault(known => known.Value == name).Key
        ?? SettingsReader.Prefix + name;

    private static string? NameOf(string variable) =>
        SettingsReader.WellKnown.TryGetValue(variable, out var known) ? known
        : variable.StartsWith(SettingsReader.Prefix, StringComparison.Ordinal)
        && AllNames.Contains(variable[SettingsReader.Prefix.Length..])
            ? variable[SettingsReader.Prefix.Length..]
        : null;

    private static HashSet<string> AllNames { get; } = [.. SettingsReader.AllNames()];

    private void Add(SettingsFile file)
    {
        foreach (var (name, (key, text)) in file.Values)
        {
            (Values[name], _sources[name]) = (text, $"{file.Path}: {key}");
            _fromFile.Add(name);
        }
        _faults.AddRange(file.Faults);
    }

    /// <summary>A variable takes precedence over the file, and a variable with the prefix over a well-known one.</summary>
    private void Set(string name, string variable, string value)
    {
        if (_fromFile.Remove(name) || !Values.ContainsKey(name) || variable.StartsWith(SettingsReader.Prefix, StringComparison.Ordinal))
        {
            (Values[name], _sources[name]) = (value, variable);
        }
    }

    private void ReadFile(string name, string variable, string path, IReadOnlyDictionary<string, string> variables)
    {
        var direct = variable[..^FileSuffix.Length];
        if (variables.TryGetValue(direct, out var other) && other.Length > 0)
        {
            _faults.Add($"{variable}: {direct} is also set. Set only one of them.");
            return;
        }
        try
        {
            var secret = File.ReadAllText(path).TrimEnd('\r', '\n');
            if (secret.Length == 0)
            {
                _faults.Add($"{variable}: The file '{path}' is empty.");
                return;
            }
            Set(name, variable, secret);
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            _faults.Add($"{variable}: The file '{path}' cannot be read: {exception.Message}");
        }
    }
}
