using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Mcp;

/// <summary>Tools of MCP servers.</summary>
public sealed record McpSettings
{
    private IReadOnlyDictionary<string, McpServerSettings> _servers = new Dictionary<string, McpServerSettings>();

    /// <summary>
    /// A JSON file with the servers that definitions can name: `{"mcpServers": {"NAME": {"command": "...", "args": [...], "env": {...}}}}`,
    /// or with `url` and `headers` for a server over HTTP. `${NAME}` in a value stands for an environment variable.
    /// </summary>
    public string? ServersFile { get; init; }

    /// <summary>
    /// Whether definitions may start servers with programs of their own, in the sandbox. By default the command line allows it, because the
    /// definition is the user's own, and a service does not.
    /// </summary>
    public bool? AllowCommands { get; init; }

    /// <summary>The timeout in seconds of a connection to a server, including its start.</summary>
    [AboveZero]
    public double ConnectTimeoutSeconds { get; init; } = 30;

    /// <summary>The timeout in seconds of one call, if the tool sets no lower one.</summary>
    [AboveZero]
    public double TimeoutSeconds { get; init; } = 300;

    /// <summary>The maximum number of connections to servers, and therefore of servers that run at once.</summary>
    [AboveZero]
    public int MaxConnections { get; init; } = 64;

    /// <summary>After how many seconds without a call a connection is closed, and a server that was started for it ends.</summary>
    [AboveZero]
    public double IdleSeconds { get; init; } = 300;

    /// <summary>The maximum number of tools of one server.</summary>
    [AboveZero]
    public int MaxTools { get; init; } = 128;

    /// <summary>The maximum number of bytes of one message of a server.</summary>
    [AboveZero]
    public int MaxMessageBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>The servers of <see cref="ServersFile"/> by name.</summary>
    public IReadOnlyDictionary<string, McpServerSettings> Servers() => _servers;

    /// <summary>The same settings, with these servers.</summary>
    public McpSettings WithServers(IReadOnlyDictionary<string, McpServerSettings> servers) => this with { _servers = servers };
}

/// <summary>A server that the operator configured.</summary>
public sealed record McpServerSettings
{
    /// <summary>The URL of a server over HTTP; null for a server that is started.</summary>
    public Uri? Url { get; init; }

    /// <summary>The headers of its requests.</summary>
    public IReadOnlyDictionary<string, Secret> Headers { get; init; } = new Dictionary<string, Secret>();

    /// <summary>The program of a server that is started; null for a server over HTTP.</summary>
    public string? Command { get; init; }

    /// <summary>The arguments of the program.</summary>
    public IReadOnlyList<string> Args { get; init; } = [];

    /// <summary>The environment variables of the program. It sees no others.</summary>
    public IReadOnlyDictionary<string, Secret> Env { get; init; } = new Dictionary<string, Secret>();

    /// <summary>The files and folders that the program may read, in addition to the system's programs and libraries.</summary>
    public IReadOnlyList<string> Paths { get; init; } = [];

    /// <summary>The files and folders that the program may read and change.</summary>
    public IReadOnlyList<string> WritablePaths { get; init; } = [];

    /// <summary>Whether the program may use the network, as far as the settings of the sandbox allow it.</summary>
    public bool Network { get; init; }

    /// <summary>The values that were taken from the environment, which must not be written anywhere.</summary>
    public IReadOnlyList<string> Secrets { get; init; } = [];
}
