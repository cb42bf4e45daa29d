using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using AgentExecutor.Adapters.Redis;

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>
/// The installed redis-server without persistence, as a child process on a free loopback port. If <c>TEST_REDIS</c> contains a URL,
/// it is the server at that URL.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private static readonly string[] Places = ["/usr/bin", "/usr/local/bin"];

    private readonly string _directory;
    private Process? _process;

    private RedisServer(string directory, int port, string url) => (_directory, Port, Url) = (directory, port, url);

    public int Port { get; }

    public string Url { get; }

    /// <summary>False for the server of <c>TEST_REDIS</c>, which tests must not stop.</summary>
    public bool IsOwn => _directory.Length > 0;

    /// <summary>The directory for certificates.</summary>
    public string Folder => _directory;

    /// <summary>The reason why there is no server, or null if there is one.</summary>
    public static string? Missing =>
        Given is null && FindProgram("redis-server") is null
            ? "redis-server is not installed: apt-get install redis-server, or set TEST_REDIS"
            : null;

    private static string? Given => Environment.GetEnvironmentVariables()["TEST_REDIS"] as string;

    /// <summary>The server of <c>TEST_REDIS</c>, or a new one.</summary>
    public static async Task<RedisServer> StartAsync() =>
        Given is { Length: > 0 } given ? new RedisServer("", new Uri(given).Port, given) : await StartOwnAsync();

    /// <param name="config">Lines of the configuration file besides the port.</param>
    public static Task<RedisServer> StartOwnAsync(params string[] config) => StartOwnAsync(_ => config);

    /// <param name="config">Makes the lines of the configuration file from the directory and the port.</param>
    public static async Task<RedisServer> StartOwnAsync(Func<(string Folder, int Port), string[]> config)
    {
        var directory = Directory.CreateTempSubdirectory("agent-executor-redis-").FullName;
        var port = LocalProcess.FreePort();
        var server = new RedisServer(directory, port, string.Create(CultureInfo.InvariantCulture, $"redis://127.0.0.1:{port}"));
        string[] lines =
        [
            "bind 127.0.0.1",
            $"port {port}",
            "save \"\"",
            "appendonly no",
            $"dir {directory}",
            $"logfile {directory}/redis.log",
            .. config((directory, port)),
        ];
        await File.WriteAllLinesAsync(Path.Combine(directory, "redis.conf"), lines);
        await server.StartAgainAsync();
        return server;
    }

    public RedisSettings Settings(string? url = null) => new() { Url = new(url ?? Url) };

    /// <summary>Starts the server after it was killed, empty and on the same port, and returns when it accepts connections.</summary>
    public async Task StartAgainAsync()
    {
        _process = Process.Start(
            new ProcessStartInfo(FindProgram("redis-server")!, [Path.Combine(_directory, "redis.conf")])
            {
                WorkingDirectory = _directory,
                RedirectStandardOutput = true,
            }
        )!;
        _process.OutputDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        var watch = Stopwatch.StartNew();
        while (!await IsReadyAsync())
        {
            if (_process.HasExited || watch.Elapsed > Limit)
            {
                throw new InvalidOperationException(
                    $"redis-server did not start within {watch.Elapsed.TotalSeconds:0} s: "
                        + File.ReadAllText(Path.Combine(_directory, "redis.log"))
                );
            }
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }
    }

    /// <summary>Kills the server with signal 9.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync().WaitAsync(Limit);
        _process.Dispose();
        _process = null;
    }

    /// <summary>Suspends the server with its connections open, like a server that hangs.</summary>
    public Task FreezeAsync() => LocalProcess.RunAsync("kill", "-STOP", _process!.Id.ToString(CultureInfo.InvariantCulture));

    public Task ThawAsync() => LocalProcess.RunAsync("kill", "-CONT", _process!.Id.ToString(CultureInfo.InvariantCulture));

    /// <summary>Starts redis-cli. The caller reads its output.</summary>
    public Process StartCli(params string[] arguments)
    {
        var program =
            FindProgram("redis-cli") ?? throw new InvalidOperationException("redis-cli, of the package redis-tools, is not installed");
        return Process.Start(
            new ProcessStartInfo(program, ["-p", Port.ToString(CultureInfo.InvariantCulture), .. arguments])
            {
                RedirectStandardOutput = true,
            }
        )!;
    }

    /// <summary>Runs one command with redis-cli and returns what it prints.</summary>
    public async Task<string> AskAsync(params string[] command)
    {
        using var cli = StartCli(command);
        var output = await cli.StandardOutput.ReadToEndAsync().WaitAsync(Limit);
        await cli.WaitForExitAsync().WaitAsync(Limit);
        return output.TrimEnd('\n');
    }

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

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static string? FindProgram(string name) => Places.Select(place => Path.Combine(place, name)).FirstOrDefault(File.Exists);
}
