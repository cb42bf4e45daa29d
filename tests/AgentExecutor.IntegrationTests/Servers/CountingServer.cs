using System.Collections.Concurrent;
using System.Net;

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>
/// A tool behind HTTP on a loopback port. It counts the calls by their idempotency key and answers with the body of the request.
/// </summary>
public sealed class CountingServer : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly Task _loop;

    public CountingServer()
    {
        for (var port = Random.Shared.Next(20_000, 30_000); ; port++)
        {
            _listener.Prefixes.Clear();
            _listener.Prefixes.Add($"http://127.0.0.1:{port}/");
            try
            {
                _listener.Start();
                Url = $"http://127.0.0.1:{port}/count";
                break;
            }
            catch (HttpListenerException)
            {
                // The port is in use.
            }
        }
        _loop = ServeAsync();
    }

    public string Url { get; }

    /// <summary>The number of calls by idempotency key.</summary>
    public ConcurrentDictionary<string, int> Calls { get; } = new();

    /// <summary>Calls are answered when this task has completed.</summary>
    public Task Gate { get; set; } = Task.CompletedTask;

    public void Dispose()
    {
        _listener.Close();
        _loop.Wait(TimeSpan.FromSeconds(5));
    }

    private async Task ServeAsync()
    {
        while (true)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception exception) when (exception is HttpListenerException or ObjectDisposedException)
            {
                return;
            }
            _ = AnswerAsync(context);
        }
    }

    private async Task AnswerAsync(HttpListenerContext context)
    {
        var gate = Gate; // After the call is counted, the test may set another gate for the next.
        Calls.AddOrUpdate(context.Request.Headers["Idempotency-Key"] ?? "", 1, (_, count) => count + 1);
        try
        {
            using var reader = new StreamReader(context.Request.InputStream);
            var body = await reader.ReadToEndAsync();
            await gate;
            using var writer = new StreamWriter(context.Response.OutputStream);
            await writer.WriteAsync($"counted {body}");
        }
        catch (Exception exception) when (exception is HttpListenerException or IOException or ObjectDisposedException)
        {
            // The caller was killed while it waited.
        }
    }
}
