using System.Text.Json;
using AgentExecutor.Adapters.Http;
using AgentExecutor.Core.Definitions;

namespace AgentExecutor.Adapters.Mcp;

/// <summary>How a server is reached. Equal endpoints can share a connection.</summary>
/// <param name="Name">The name of the server in messages.</param>
internal sealed record McpEndpoint(string Name)
{
    /// <summary>The URL; null for a server that is started.</summary>
    public Uri? Url { get; init; }

    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>The program; null for a server over HTTP.</summary>
    public string? Command { get; init; }

    public IReadOnlyList<string> Args { get; init; } = [];

    public IReadOnlyDictionary<string, string> Variables { get; init; } = new Dictionary<string, string>();

    public IReadOnlyList<string> Paths { get; init; } = [];

    public IReadOnlyList<string> WritablePaths { get; init; } = [];

    public bool UsesNetwork { get; init; }

    /// <summary>The secrets that a server knows and may therefore repeat.</summary>
    public IReadOnlyList<string> Secrets { get; init; } = [];

    /// <summary>The same text for endpoints that can share a connection.</summary>
    public string Key =>
        $"{Url}\n{string.Join('\n', Headers.OrderBy(it => it.Key, StringComparer.Ordinal).Select(it => $"{it.Key}: {it.Value}"))}";

    /// <summary>Reads the server of a definition. Returns null if the operator has not configured the server that it names.</summary>
    public static McpEndpoint? Of(ToolDefinition definition, McpSettings settings, HttpToolSettings http)
    {
        var runtime = definition.Runtime!;
        if (runtime.Server is { } name)
        {
            return settings.Servers().TryGetValue(name, out var server) ? Of(name, server) : null;
        }
        return new McpEndpoint(definition.Name)
        {
            Url = Uri.TryCreate(runtime.Url, UriKind.Absolute, out var url) ? url : null,
            Headers = ValuesOf(runtime.Headers, http),
            Command = runtime.Command,
            Args = runtime.Args ?? [],
            Variables = ValuesOf(runtime.Env, http),
            UsesNetwork = runtime.Network ?? false,
            Secrets =
            [
                .. (runtime.Headers?.Values ?? [])
                    .Concat(runtime.Env?.Values ?? [])
                    .Select(json => ToolValue.TryRead(json, out var value) ? value.SecretIn(http) : "")
                    .Where(secret => secret.Length > 0),
            ],
        };
    }

    private static McpEndpoint Of(string name, McpServerSettings server) =>
        new(name)
        {
            Url = server.Url,
            Headers = server.Headers.ToDictionary(it => it.Key, it => it.Value.Value ?? ""),
            Command = server.Command,
            Args = server.Args,
            Variables = server.Env.ToDictionary(it => it.Key, it => it.Value.Value ?? ""),
            Paths = server.Paths,
            WritablePaths = server.WritablePaths,
            UsesNetwork = server.Network,
            Secrets = server.Secrets,
        };

    private static Dictionary<string, string> ValuesOf(IReadOnlyDictionary<string, JsonElement>? values, HttpToolSettings http)
    {
        var read = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, json) in values ?? new Dictionary<string, JsonElement>())
        {
            if (ToolValue.TryRead(json, out var value))
            {
                read[name] = value.Template is null ? value.Text + value.SecretIn(http) : value.Text;
            }
        }
        return read;
    }
}
