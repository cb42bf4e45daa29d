using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using AgentExecutor.Adapters.Nats;

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>
/// The installed nats-server with JetStream, as a child process on a free loopback port with its own directory. If
/// <c>TEST_NATS</c> contains a URL, it is the server at that URL.
/// </summary>
public sealed class NatsServer : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private static readonly string[] Places = ["/usr/sbin/nats-server", "/usr/bin/nats-server", "/usr/local/bin/nats-server"];

    private readonly string _directory;
    private string _program = FindProgram() ?? "";
    private string _config = "";
    private Process? _process;

    private NatsServer(string directory, int port, string url) => (_directory, Port, Url) = (directory, port, url);

    public int Port { get; }

    public string Url { get; }

    /// <summary>False for the server of <c>TEST_NATS</c>, which tests must not stop.</summary>
    public bool IsOwn => _directory.Length > 0;

    /// <summary>The directory for certificates and keys.</summary>
    public string Folder => _directory;

    /// <summary>The reason why there is no server, or null if there is one.</summary>
    public static string? Missing =>
        Given is null && FindProgram() is null ? "nats-server is not installed: apt-get install nats-server, or set TEST_NATS" : null;

    private static string? Given => Environment.GetEnvironmentVariables()["TEST_NATS"] as string;

    /// <summary>The server of <c>TEST_NATS</c>, or a new one.</summary>
    public static async Task<NatsServer> StartAsync() =>
        Given is { Length: > 0 } given ? new NatsServer("", new Uri(given).Port, given) : await StartOwnAsync();

    /// <param name="config">Makes the text of the configuration file besides port and store from the directory.</param>
    /// <param name="program">The server program, or null for the installed one.</param>
    public static async Task<NatsServer> StartOwnAsync(
        Func<string, string>? config = null,
        bool hasJetStream = true,
        string? program = null
    )
    {
        var server = Prepare(LocalProcess.FreePort(), config, hasJetStream);
        server._program = program ?? server._program;
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>Starts a cluster of three servers, in which streams may have three replicas.</summary>
    public static async Task<NatsServer[]> StartClusterAsync()
    {
        int[] routes = [LocalProcess.FreePort(), LocalProcess.FreePort(), LocalProcess.FreePort()];
        var known = string.Join(", ", routes.Select(route => string.Create(CultureInfo.InvariantCulture, $"\"nats://127.0.0.1:{route}\"")));
        NatsServer[] servers =
        [
            .. routes.Select(
                (route, index) =>
                    Prepare(
                        LocalProcess.FreePort(),
                        _ =>
                            string.Create(
                                CultureInfo.InvariantCulture,
                                $"server_name: n{index}\ncluster {{ name: c, listen: \"127.0.0.1:{route}\", routes: [{known}] }}\n"
                            ),
                        hasJetStream: true
                    )
            ),
        ];
        await Task.WhenAll(servers.Select(server => server.StartAgainAsync()));
        return servers;
    }

    public NatsSettings Settings(string? url = null) => new() { Url = new(url ?? Url) };

    /// <summary>
    /// Starts the server after it was stopped or killed, with the same port and store, and returns when it accepts connections.
    /// </summary>
    public async Task StartAgainAsync()
    {
        _process = Process.Start(
            new ProcessStartInfo(_program, ["-c", Path.Combine(_directory, "nats.conf")])
            {
                WorkingDirectory = _directory,
                RedirectStandardError = true,
            }
        )!;
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginErrorReadLine();
        var watch = Stopwatch.StartNew();
        while (!await IsReadyAsync())
        {
            if (_process.HasExited || watch.Elapsed > Limit)
            {
                throw new InvalidOperationException(
                    $"nats-server did not start within {watch.Elapsed.TotalSeconds:0} s: "
                        + File.ReadAllText(Path.Combine(_directory, "nats.log"))
                );
            }
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }
    }

    /// <summary>Starts the server again with another configuration.</summary>
    public Task StartAgainAsync(string config)
    {
        Configure(config);
        return StartAgainAsync();
    }

    /// <summary>Kills the server with signal 9.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await EndedAsync();
    }

    /// <summary>Stops the server with SIGTERM.</summary>
    public async Task StopAsync()
    {
        await LocalProcess.RunAsync("kill", "-TERM", _process!.Id.ToString(CultureInfo.InvariantCulture));
        await EndedAsync();
    }

    /// <summary>Suspends the server with its connections open, like a server that hangs.</summary>
    public Task FreezeAsync() => LocalProcess.RunAsync("kill", "-STOP", _process!.Id.ToString(CultureInfo.InvariantCulture));

    public Task ThawAsync() => LocalProcess.RunAsync("kill", "-CONT", _process!.Id.ToString(CultureInfo.InvariantCulture));

    /// <summary>Puts the server into lame duck mode: it refuses new clients and asks the others to leave.</summary>
    public Task BecomeLameDuckAsync() =>
        LocalProcess.RunAsync(FindProgram()!, "--signal", string.Create(CultureInfo.InvariantCulture, $"ldm={_process!.Id}"));

    public async ValueTask DisposeAsync()
    {
        if (!IsOwn)
        {
            return;
        }
        if (_process is not null)
        {
            await KillAsync();
        }
        Directory.Delete(_directory, recursive: true);
    }

    private static NatsServer Prepare(int port, Func<string, string>? config, bool hasJetStream)
    {
        var directory = Directory.CreateTempSubdirectory("agent-executor-nats-").FullName;
        var server = new NatsServer(directory, port, string.Create(CultureInfo.InvariantCulture, $"nats://127.0.0.1:{port}"));
        var jetStream = hasJetStream ? $"jetstream {{ store_dir: \"{directory}/store\" }}\n" : "";
        server._config = string.Create(
            CultureInfo.InvariantCulture,
            $"listen: \"127.0.0.1:{port}\"\nlog_file: \"{directory}/nats.log\"\n{jetStream}"
        );
        server.Configure(config?.Invoke(directory) ?? "");
        return server;
    }

    private void Configure(string config) => File.WriteAllText(Path.Combine(_directory, "nats.conf"), _config + config);

    private async Task EndedAsync()
    {
        await _process!.WaitForExitAsync().WaitAsync(Limit);
        _process.Dispose();
        _process = null;
    }

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, Port);
            return await client.GetStream().ReadAsync(new byte[4]).AsTask().WaitAsync(Limit) > 0;
        }
        catch (Exception exception) when (exception is SocketException or IOException)
        {
            return false;
        }
    }

    private static string? FindProgram() => Places.FirstOrDefault(File.Exists);
}
