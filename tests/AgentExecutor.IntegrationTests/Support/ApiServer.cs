using System.Net;
using System.Text;
using System.Text.Json;
using AgentExecutor.Adapters.Postgres;

namespace AgentExecutor.IntegrationTests.Support;

/// <summary>The real service on a free port, and a client of it.</summary>
public sealed class ApiServer : IAsyncDisposable
{
    private readonly AgentExecutorProgram _program;
    private readonly string[] _args;

    private ApiServer(PostgresSettings? postgres, IReadOnlyDictionary<string, string>? variables, string[] args)
    {
        _program = new AgentExecutorProgram { Postgres = postgres };
        _args = args;
        _program.Variables["AGENT_EXECUTOR_HTTP_TOOLS_ALLOW_PRIVATE_NETWORKS"] = "true";
        // Without it, a service with external servers listens on all addresses.
        _program.Variables["AGENT_EXECUTOR_HTTP_HOST"] = "127.0.0.1";
        foreach (var (name, value) in variables ?? new Dictionary<string, string>())
        {
            _program.Variables[name] = value;
        }
    }

    public HttpClient Http { get; private set; } = null!;

    public RunningProgram Process { get; private set; } = null!;

    public static async Task<ApiServer> StartAsync(
        PostgresSettings? postgres = null,
        IReadOnlyDictionary<string, string>? variables = null,
        params string[] args
    )
    {
        var server = new ApiServer(postgres, variables, args);
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>Starts a service with further settings, which are named without their prefix.</summary>
    public static Task<ApiServer> StartWithAsync(params (string Name, string Value)[] settings) =>
        StartAsync(null, settings.ToDictionary(it => $"AGENT_EXECUTOR_{it.Name}", it => it.Value));

    /// <summary>Starts a service and returns when it listens, which may be before it is ready.</summary>
    public static async Task<ApiServer> StartUnreadyAsync(PostgresSettings? postgres, IReadOnlyDictionary<string, string> variables)
    {
        var server = new ApiServer(postgres, variables, []);
        await server.StartAgainAsync("Listening on ");
        return server;
    }

    /// <summary>Starts another process on the same store, at the same address.</summary>
    public async Task StartAgainAsync(string until = "Ready")
    {
        Process = _program.Start(["serve", "--port", $"{Http?.BaseAddress!.Port ?? 0}", .. _args]);
        Process.Drain();
        await Wait.UntilAsync(() => Message(until) is not null, () => string.Join('\n', Process.Lines));
        Http?.Dispose();
        Http = new HttpClient
        {
            BaseAddress = new Uri(Message("Listening on ")!["Listening on ".Length..]),
            Timeout = TimeSpan.FromSeconds(60),
        };
    }

    public Task<Reply> GetAsync(string path) => SendAsync(new HttpRequestMessage(HttpMethod.Get, path));

    public Task<Reply> PostAsync(
        string path,
        string? body = null,
        string? contentType = "application/json",
        params (string Name, string Value)[] headers
    ) => SendAsync(Request(path, body is null ? null : Encoding.UTF8.GetBytes(body), contentType, headers));

    public static HttpRequestMessage Request(string path, byte[]? body, string? contentType, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(body ?? []) };
        if (contentType is not null)
        {
            request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        }
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        return request;
    }

    public async Task<Reply> SendAsync(HttpRequestMessage request)
    {
        using var response = await Http.SendAsync(request, TestContext.Current.CancellationToken);
        return new Reply(
            response.StatusCode,
            response.Headers,
            response.Content.Headers,
            await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)
        );
    }

    public Task<Reply> StateAsync(string thread) => GetAsync($"/deepagents-runtime/state/{thread}");

    /// <summary>Waits until the thread has the status, and returns its state.</summary>
    public async Task<JsonElement> UntilAsync(string thread, string status, double seconds = 30)
    {
        var state = default(Reply);
        await Wait.UntilAsync(
            async () =>
                (state = await StateAsync(thread)).Status == HttpStatusCode.OK && state.Json.GetProperty("status").GetString() == status,
            () => Task.FromResult(state?.Body ?? "no answer"),
            seconds
        );
        return state!.Json;
    }

    public async ValueTask DisposeAsync()
    {
        Http?.Dispose();
        _program.Dispose();
        await ValueTask.CompletedTask;
    }

    /// <summary>Asserts that the service logged neither errors nor warnings.</summary>
    public void AssertNoError() =>
        Assert.DoesNotContain(
            Process.Lines,
            line =>
                line.Contains("\"level\":\"ERROR\"", StringComparison.OrdinalIgnoreCase)
                || line.Contains("\"level\":\"WARN", StringComparison.OrdinalIgnoreCase)
        );

    /// <summary>The first message in the log that starts with the text, or null if there is none yet.</summary>
    public string? Message(string start) =>
        Process
            .Lines.Where(line => line.StartsWith('{'))
            .Select(line => JsonElement.Parse(line).GetProperty("message").GetString()!)
            .FirstOrDefault(message => message.StartsWith(start, StringComparison.Ordinal));
}
