using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using AgentExecutor.Adapters.Redis;

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>
/// The installed redis-server, as a child process on a free loopback port, which keeps nothing; or, where <c>TEST_REDIS</c> holds a URL, the server that it names.
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

    /// <summary>False for a server that was given: tests that stop and start it do not apply.</summary>
    public bool IsOwn => _directory.Length > 0;

    /// <summary>Where a test may leave certificates for it.</summary>
    public string Folder => _directory;

    /// <summary>Why there is no server here; null where there is one.</summary>
    public static string? Missing => Given is null && FindProgram("redis-server") is null ? "redis-server is not installed: apt-get install redis-server, or set TEST_REDIS" : null;

    private static string? Given => Environment.GetEnvironmentVariables()["TEST_REDIS"] as string;

    /// <summary>The given server, or one of one's own.</summary>
    public static async Task<RedisServer> StartAsync() =>
        Given is { Length: > 0 } given ? new RedisServer("", new Uri(given).Port, given) : await StartOwnAsync();

    /// <param name="config">Lines of its configuration file besides the port.</param>
    public static Task<RedisServer> StartOwnAsync(params string[] config) => StartOwnAsync(_ => config);

    /// <param name="config">The same, for the directory and the port that it gets.</param>
    public static async Task<RedisServer> StartOwnAsync(Func<(string Folder, int Port), string[]> config)
    {
        var directory = Directory.CreateTempSubdirectory("agent-executor-redis-").FullName;
        var port = LocalProcess.FreePort();
        var server = new RedisServer(directory, port, string.Create(CultureInfo.InvariantCulture, $"redis://127.0.0.1:{port}"));
        string[] lines = ["bind 127.0.0.1", $"port {port}", "save \"\"", "appendonly no", $"dir {directory}", $"logfile {directory}/redis.log", .. config((directory, port))];
        await File.WriteAllLinesAsync(Path.Combine(directory, "redis.conf"), lines);
        await server.StartAgainAsync();
        return server;
    }

    public RedisSettings Settings(string? url = null) => new() { Url = new(url ?? Url) };

    /// <summary>Starts it again after it was killed, with the same port and nothing kept; returns when it takes connections.</summary>
    public async Task StartAgainAsync()
    {
        _process = Process.Start(new ProcessStartInfo(FindProgram("redis-server")!, [Path.Combine(_directory, "redis.conf")]) { WorkingDirectory = _directory, RedirectStandardOutput = true })!;
        _process.OutputDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        for (var watch = Stopwatch.StartNew(); !await IsReadyAsync();)
        {
            if (_process.HasExited || watch.Elapsed > Limit)
            {
                throw new InvalidOperationException($"redis-server did not start within {watch.Elapsed.TotalSeconds:0} s: {File.ReadAllText(Path.Combine(_directory, "redis.log"))}");
            }
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }
    }

    /// <summary>Without a word to its clients.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync().WaitAsync(Limit);
        _process.Dispose();
        _process = null;
    }

    /// <summary>Stopped for now, with its connections open: a server that hangs.</summary>
    public Task FreezeAsync() => LocalProcess.RunAsync("kill", "-STOP", _process!.Id.ToString(CultureInfo.InvariantCulture));

    public Task ThawAsync() => LocalProcess.RunAsync("kill", "-CONT", _process!.Id.ToString(CultureInfo.InvariantCulture));

    /// <summary>The program that people look into it with, as a child process whose output is to be read.</summary>
    public Process StartCli(params string[] arguments)
    {
        var program = FindProgram("redis-cli") ?? throw new InvalidOperationException("redis-cli, of the package redis-tools, is not installed");
        return Process.Start(new ProcessStartInfo(program, ["-p", Port.ToString(CultureInfo.InvariantCulture), .. arguments]) { RedirectStandardOutput = true })!;
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
