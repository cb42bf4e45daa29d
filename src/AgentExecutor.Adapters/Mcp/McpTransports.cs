using AgentExecutor.Adapters.Egress;
using AgentExecutor.Adapters.Sandbox;
using AgentExecutor.Core;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace AgentExecutor.Adapters.Mcp;

/// <summary>Opens the transports to servers: over HTTP through the egress guard, and to programs that run in the sandbox.</summary>
/// <param name="guard">The guard of what is sent over HTTP.</param>
/// <param name="sandbox">Starts programs.</param>
/// <param name="settings">The settings.</param>
/// <param name="loggers">Creates the loggers of the SDK.</param>
internal sealed class McpTransports(EgressGuard guard, ISandbox sandbox, McpSettings settings, ILoggerFactory loggers) : IDisposable
{
    /// <summary>Servers run for a long time, and many of them run on Node, which reserves much address space.</summary>
    private static readonly SandboxLimits Limits = new()
    {
        CpuTime = Timeout.InfiniteTimeSpan,
        AddressSpaceBytes = 1L << 38,
        Processes = 128,
    };

    private readonly HttpClient _http = new(new BoundedMessagesHandler(guard.CreateHandler(), settings.MaxMessageBytes))
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>Opens a transport. The process, if there is one, must be disposed after the transport.</summary>
    /// <exception cref="FaultException">The program cannot be started.</exception>
    public async Task<(IClientTransport Transport, McpProcess? Process)> OpenAsync(
        McpEndpoint endpoint,
        CancellationToken cancellationToken
    )
    {
        if (endpoint.Url is { } url)
        {
            return (OverHttp(endpoint, url), null);
        }
        var process = new McpProcess(
            await sandbox.StartAsync(
                new SandboxRequest(endpoint.Command!, endpoint.Args)
                {
                    Variables = endpoint.Variables,
                    ReadablePaths = endpoint.Paths,
                    WritablePaths = endpoint.WritablePaths,
                    UsesNetwork = endpoint.UsesNetwork,
                    Limits = Limits,
                },
                cancellationToken
            )
        );
        var output = new BoundedMessagesStream(process.Output, settings.MaxMessageBytes);
        return (new StreamClientTransport(process.Input, output, loggers), process);
    }

    public void Dispose() => _http.Dispose();

    private HttpClientTransport OverHttp(McpEndpoint endpoint, Uri url) =>
        new(
            new HttpClientTransportOptions
            {
                Endpoint = url,
                Name = endpoint.Name,
                TransportMode = HttpTransportMode.StreamableHttp,
                AdditionalHeaders = new Dictionary<string, string>(endpoint.Headers),
                ConnectionTimeout = TimeSpan.FromSeconds(settings.ConnectTimeoutSeconds),
            },
            _http,
            loggers,
            ownsHttpClient: false
        );
}
