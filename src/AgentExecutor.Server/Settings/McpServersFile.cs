using System.Text.Json;
using System.Text.RegularExpressions;
using AgentExecutor.Adapters.Mcp;
using AgentExecutor.Core;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Server.Settings;

/// <summary>
/// Reads the file with MCP servers: <c>{"mcpServers": {"NAME": {"command", "args", "env", "paths", "writable_paths",
/// "network"}}}</c>, or <c>{"url", "headers"}</c> for a server over HTTP. <c>${NAME}</c> in a value stands for an environment variable, and
/// <c>${NAME:-text}</c> for the text if the variable is not set.
/// </summary>
internal sealed partial class McpServersFile
{
    private static readonly string[] Fields = ["type", "url", "headers", "command", "args", "env", "paths", "writable_paths", "network"];

    private readonly IReadOnlyDictionary<string, string> _variables;
    private readonly List<string> _faults;
    private readonly List<string> _secrets = [];

    private McpServersFile(IReadOnlyDictionary<string, string> variables, List<string> faults) =>
        (_variables, _faults) = (variables, faults);

    /// <param name="path">The file.</param>
    /// <param name="variables">The environment variables.</param>
    /// <param name="faults">Receives what is wrong with the file.</param>
    public static Dictionary<string, McpServerSettings> Read(
        string path,
        IReadOnlyDictionary<string, string> variables,
        List<string> faults
    )
    {
        try
        {
            var json = InputJson.ParseHandwritten(File.ReadAllBytes(path));
            if (json.Property("mcpServers") is { ValueKind: JsonValueKind.Object } servers)
            {
                return servers
                    .EnumerateObject()
                    .ToDictionary(
                        it => it.Name,
                        it => new McpServersFile(variables, faults).Server(it.Name, it.Value),
                        StringComparer.Ordinal
                    );
            }
            faults.Add("""it has no object 'mcpServers'. Write {"mcpServers": {"NAME": {"command": "..."}}}.""");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            faults.Add($"The file '{path}' cannot be read: {exception.Message}");
        }
        catch (JsonException exception)
        {
            faults.Add($"The file '{path}' is not valid JSON: {exception.Message}");
        }
        return [];
    }

    private McpServerSettings Server(string name, JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            _faults.Add($"mcpServers.{name} is not an object.");
            return new McpServerSettings();
        }
        foreach (var field in json.EnumerateObject().Where(field => !Fields.Contains(field.Name)))
        {
            _faults.Add($"mcpServers.{name}.{field.Name} is unknown ({Spelling.Hint(field.Name, Fields, "fields")}).");
        }
        var (url, command) = (json.TextProperty("url"), json.TextProperty("command"));
        if ((url is null) == (command is null))
        {
            _faults.Add($"mcpServers.{name} needs either 'command' or 'url'.");
        }
        if (
            url is not null
            && (!Uri.TryCreate(Expand(name, url), UriKind.Absolute, out var parsed) || parsed.Scheme is not ("http" or "https"))
        )
        {
            _faults.Add($"mcpServers.{name}.url is not an http or https URL.");
        }
        return new McpServerSettings
        {
            Url = url is not null && Uri.TryCreate(Expand(name, url), UriKind.Absolute, out var absolute) ? absolute : null,
            Headers = Secrets(name, json.Property("headers")),
            Command = command is null ? null : Expand(name, command),
            Args = Texts(name, json.Property("args")),
            Env = Secrets(name, json.Property("env")),
            Paths = Texts(name, json.Property("paths")),
            WritablePaths = Texts(name, json.Property("writable_paths")),
            Network = json.Property("network") is { ValueKind: JsonValueKind.True },
            Secrets = _secrets,
        };
    }

    private Dictionary<string, Secret> Secrets(string server, JsonElement? json)
    {
        var values = new Dictionary<string, Secret>(StringComparer.Ordinal);
        foreach (var field in json is { ValueKind: JsonValueKind.Object } given ? given.EnumerateObject() : default)
        {
            values[field.Name] = new Secret(Expand(server, JsonBytes.Display(field.Value), isSecret: true));
        }
        return values;
    }

    private List<string> Texts(string server, JsonElement? json) =>
        json is { ValueKind: JsonValueKind.Array } list
            ? [.. list.EnumerateArray().Select(item => Expand(server, JsonBytes.Display(item)))]
            : [];

    private string Expand(string server, string text, bool isSecret = false) =>
        Variable()
            .Replace(
                text,
                match =>
                {
                    var name = match.Groups["name"].Value;
                    if (_variables.TryGetValue(name, out var value) && value.Length > 0)
                    {
                        if (isSecret)
                        {
                            _secrets.Add(value);
                        }
                        return value;
                    }
                    if (!match.Groups["otherwise"].Success)
                    {
                        _faults.Add($"mcpServers.{server} needs the environment variable {name}, which is not set.");
                    }
                    return match.Groups["otherwise"].Value;
                }
            );

    [GeneratedRegex(@"\$\{(?<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?<otherwise>[^}]*))?\}")]
    private static partial Regex Variable();
}
