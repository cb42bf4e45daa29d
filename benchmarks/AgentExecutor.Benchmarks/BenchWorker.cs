using System.Diagnostics;
using System.Globalization;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.Benchmarks;

/// <summary>The real binary running <c>serve</c>. It is killed when this object is disposed of.</summary>
internal sealed class BenchWorker : IDisposable
{
    /// <summary>The program as it is shipped. The copy next to the benchmarks is not compiled to native code.</summary>
    public static readonly string Program = Path.Combine(
        AppContext.BaseDirectory,
        "..",
        "..",
        "AgentExecutor.Server",
        new DirectoryInfo(AppContext.BaseDirectory).Name,
        "agent-executor"
    );

    private readonly Process _process;
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly TaskCompletionSource<string> _url = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private BenchWorker(ProcessStartInfo start)
    {
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) =>
        {
            const string Mark = "\"url\":\"";
            if (
                line.Data?.IndexOf(Mark, StringComparison.Ordinal) is > 0 and var mark
                && line.Data.Contains("\"event_id\":1202,", StringComparison.Ordinal)
            )
            {
                var start = mark + Mark.Length;
                _url.TrySetResult(line.Data[start..line.Data.IndexOf('"', start)].Replace("[::]", "127.0.0.1", StringComparison.Ordinal));
            }
        };
        _process.BeginOutputReadLine();
    }

    public static BenchWorker Start(BenchStore.Postgres store, NatsServer? nats, params (string Name, string Value)[] variables)
    {
        var settings = store.Settings;
        var start = new ProcessStartInfo(Program, ["serve", "--port", "0"])
        {
            RedirectStandardOutput = true,
            Environment =
            {
                ["POSTGRES_HOST"] = settings.Host,
                ["POSTGRES_PORT"] = settings.Port.ToString(CultureInfo.InvariantCulture),
                ["POSTGRES_DB"] = settings.Db,
                ["POSTGRES_USER"] = settings.User,
                ["POSTGRES_PASSWORD"] = settings.Password.Value ?? "",
                ["POSTGRES_SCHEMA"] = settings.Schema,
                ["NATS_URL"] = nats?.Url ?? "",
            },
        };
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }
        return new BenchWorker(start);
    }

    /// <summary>The URL on which it listens.</summary>
    public Task<string> UrlAsync() => _url.Task;

    /// <summary>The time in milliseconds from its start until <c>/ready</c> succeeds.</summary>
    public async Task<double> ReadyAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60), TimeProvider.System);
        await WarmUpAsync(limit.Token);
        using var http = new HttpClient { BaseAddress = new Uri(await _url.Task.WaitAsync(limit.Token)) };
        while (!(await http.GetAsync(new Uri("/ready", UriKind.Relative), limit.Token)).IsSuccessStatusCode)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, limit.Token);
        }
        return Stopwatch.GetElapsedTime(_started).TotalMilliseconds;
    }

    /// <summary>Makes a first request to another server, because the first request of the client itself is slow.</summary>
    private static async Task WarmUpAsync(CancellationToken cancellationToken)
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        using var http = new HttpClient();
        var answer = http.GetAsync(new Uri($"http://{listener.LocalEndpoint}/"), cancellationToken);
        using var client = await listener.AcceptTcpClientAsync(cancellationToken);
        await client.GetStream().WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"u8.ToArray(), cancellationToken);
        (await answer).Dispose();
    }

    /// <summary>The resident memory of the process.</summary>
    public double RssMegabytes()
    {
        _process.Refresh();
        return _process.WorkingSet64 / (1024.0 * 1024.0);
    }

    public Task KillAsync()
    {
        _process.Kill();
        return _process.WaitForExitAsync();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }
        _process.Dispose();
    }
}
