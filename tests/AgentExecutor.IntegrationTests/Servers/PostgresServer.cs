using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Npgsql;

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>
/// The installed PostgreSQL with default settings, as a child process on a free loopback port with its own directory. If
/// <c>TEST_POSTGRES</c> contains a connection string, it is the server of that string.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly string _directory;
    private readonly string _bin;
    private readonly string _options;
    private Process? _process;

    private PostgresServer(string directory, string bin, int port, string options)
    {
        (_directory, _bin, Port, _options) = (directory, bin, port, options);
        ConnectionString = $"Host=127.0.0.1;Port={port};Username=postgres;Database=postgres;Timeout=5";
    }

    private PostgresServer(string connectionString)
    {
        (_directory, _bin, _options, ConnectionString) = ("", "", "", connectionString);
        Port = new NpgsqlConnectionStringBuilder(connectionString).Port;
    }

    public int Port { get; }

    public string ConnectionString { get; }

    /// <summary>False for the server of <c>TEST_POSTGRES</c>, which tests must not stop.</summary>
    public bool IsOwn => _directory.Length > 0;

    /// <summary>The reason why there is no server, or null if there is one.</summary>
    public static string? Missing =>
        Given is null && FindBin() is null ? "PostgreSQL is not installed: apt-get install postgresql, or set TEST_POSTGRES" : null;

    private static string? Given => Environment.GetEnvironmentVariables()["TEST_POSTGRES"] as string;

    /// <summary>The server of <c>TEST_POSTGRES</c>, or a new one.</summary>
    public static async Task<PostgresServer> StartAsync(string options = "", bool alwaysOwn = false)
    {
        if (!alwaysOwn && Given is { Length: > 0 } given)
        {
            return new PostgresServer(given);
        }
        var bin = FindBin() ?? throw new InvalidOperationException(Missing);
        var directory = Directory.CreateTempSubdirectory("agent-executor-pg-").FullName;
        if (IsRoot)
        {
            await LocalProcess.RunAsync("chown", "postgres", directory);
        }
        var server = new PostgresServer(directory, bin, LocalProcess.FreePort(), options);
        await LocalProcess.RunAsync(
            As($"{bin}/initdb", "-D", $"{directory}/data", "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        );
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>Starts the server after <see cref="StopAsync"/> and returns when it accepts connections.</summary>
    public async Task StartAgainAsync()
    {
        string[] command = As(
            $"{_bin}/postgres",
            "-D",
            $"{_directory}/data",
            "-p",
            Port.ToString(CultureInfo.InvariantCulture),
            "-k",
            _directory,
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "log_min_messages=fatal",
            "-c",
            "max_connections=400"
        ); // Each process of the program opens up to 45 connections.
        string[] full =
        [
            .. command,
            .. _options.Split(' ', StringSplitOptions.RemoveEmptyEntries).SelectMany(option => (string[])["-c", option]),
        ];
        _process = Process.Start(new ProcessStartInfo(full[0], full[1..]) { WorkingDirectory = _directory, RedirectStandardError = true })!;
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginErrorReadLine();
        var watch = Stopwatch.StartNew();
        while (!await IsReadyAsync())
        {
            if (_process.HasExited || watch.Elapsed > Limit)
            {
                throw new InvalidOperationException($"PostgreSQL did not start within {watch.Elapsed.TotalSeconds:0} s");
            }
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        }
    }

    /// <param name="mode"><c>fast</c>, or <c>immediate</c>, which looks like a crash to its clients.</param>
    public async Task StopAsync(string mode)
    {
        await LocalProcess.RunAsync(As($"{_bin}/pg_ctl", "stop", "-D", $"{_directory}/data", "-m", mode, "-w", "-s"));
        await _process!.WaitForExitAsync().WaitAsync(Limit);
        _process.Dispose();
        _process = null;
    }

    public async Task<T> QueryAsync<T>(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!IsOwn)
        {
            return;
        }
        if (_process is not null)
        {
            await StopAsync("immediate");
        }
        Directory.Delete(_directory, recursive: true);
    }

    internal static bool IsRoot => Environment.UserName == "root";

    /// <summary>PostgreSQL refuses to run as root.</summary>
    internal static string[] As(params string[] command) =>
        IsRoot ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--", .. command] : command;

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            await using var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false");
            await connection.OpenAsync();
            return true;
        }
        catch (Exception exception) when (exception is NpgsqlException or SocketException)
        {
            return false;
        }
    }

    private static string? FindBin() =>
        !Directory.Exists("/usr/lib/postgresql")
            ? null
            : Directory
                .GetDirectories("/usr/lib/postgresql")
                .OrderByDescending(path => int.TryParse(Path.GetFileName(path), out var version) ? version : 0)
                .Select(path => Path.Combine(path, "bin"))
                .FirstOrDefault(path => File.Exists(Path.Combine(path, "initdb")));
}
