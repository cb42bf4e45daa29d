using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using AgentExecutor.Adapters.Postgres;
using Npgsql;

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>
/// The installed PgBouncer in front of a PostgreSQL server, as a child process on a free loopback port with its own directory.
/// </summary>
public sealed class PgBouncerServer : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly string _directory;
    private Process? _process;

    private PgBouncerServer(string directory, int port) => (_directory, Port) = (directory, port);

    public int Port { get; }

    /// <summary>Starts PgBouncer.</summary>
    /// <param name="server">The PostgreSQL server to which it connects.</param>
    /// <param name="mode">When a connection to the server goes back to the pool: <c>session</c>, <c>transaction</c> or
    /// <c>statement</c>.</param>
    /// <param name="lines">Further lines of the configuration.</param>
    public static async Task<PgBouncerServer> StartAsync(PostgresServer server, string mode, params string[] lines)
    {
        SkipWithout();
        var directory = Directory.CreateTempSubdirectory("agent-executor-pgbouncer-").FullName;
        var bouncer = new PgBouncerServer(directory, LocalProcess.FreePort());
        var target = new NpgsqlConnectionStringBuilder(server.ConnectionString);
        var password = target.Password is { Length: > 0 } given ? $" password={given}" : "";
        string[] config =
        [
            "[databases]",
            string.Create(CultureInfo.InvariantCulture, $"* = host={target.Host} port={target.Port} user={target.Username}{password}"),
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            string.Create(CultureInfo.InvariantCulture, $"listen_port = {bouncer.Port}"),
            "unix_socket_dir =",
            "auth_type = any",
            $"pool_mode = {mode}",
            $"logfile = {directory}/pgbouncer.log",
            .. lines,
        ];
        await File.WriteAllLinesAsync(bouncer.Config, config);
        if (PostgresServer.IsRoot)
        {
            await LocalProcess.RunAsync("chown", "-R", "postgres", directory); // Like PostgreSQL, PgBouncer refuses to run as root.
        }
        await bouncer.StartAgainAsync();
        return bouncer;
    }

    /// <summary>The same settings with the address of the pooler.</summary>
    public PostgresSettings Through(PostgresSettings settings) => settings with { Host = "127.0.0.1", Port = Port };

    /// <summary>Starts PgBouncer after <see cref="KillAsync"/> and returns when it accepts connections.</summary>
    public async Task StartAgainAsync()
    {
        var command = PostgresServer.As(FindProgram()!, "-q", Config);
        _process = Process.Start(
            new ProcessStartInfo(command[0], command[1..]) { WorkingDirectory = _directory, RedirectStandardError = true }
        )!;
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginErrorReadLine();
        var watch = Stopwatch.StartNew();
        while (!await IsReadyAsync())
        {
            if (_process.HasExited || watch.Elapsed > Limit)
            {
                throw new InvalidOperationException(
                    $"PgBouncer did not start within {watch.Elapsed.TotalSeconds:0} s; see its log in {_directory}"
                );
            }
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }
    }

    /// <summary>Kills PgBouncer, which breaks the connections on both sides.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync().WaitAsync(Limit);
        _process.Dispose();
        _process = null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await KillAsync();
        }
        Directory.Delete(_directory, recursive: true);
    }

    private string Config => Path.Combine(_directory, "pgbouncer.ini");

    /// <summary>Skips the test if PgBouncer is missing. With <c>CI</c> set, the test fails instead.</summary>
    private static void SkipWithout()
    {
        const string Reason = "PgBouncer is not installed: apt-get install pgbouncer";
        if (FindProgram() is null)
        {
            Assert.SkipUnless(Environment.GetEnvironmentVariables().Contains("CI"), Reason);
            Assert.Fail(Reason);
        }
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

    private static string? FindProgram() =>
        ((Environment.GetEnvironmentVariables()["PATH"] as string) ?? "")
            .Split(':')
            .Append("/usr/sbin")
            .Where(static folder => folder.Length > 0)
            .Select(static folder => Path.Combine(folder, "pgbouncer"))
            .FirstOrDefault(File.Exists);
}
