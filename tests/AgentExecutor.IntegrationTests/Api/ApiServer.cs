using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.IntegrationTests.Crash;

namespace AgentExecutor.IntegrationTests.Api;

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
        _program.Variables["AGENT_EXECUTOR_HTTP_HOST"] = "127.0.0.1"; // with servers that are named it would be all addresses
        foreach (var (name, value) in variables ?? new Dictionary<string, string>())
        {
            _program.Variables[name] = value;
        }
    }

    public HttpClient Http { get; private set; } = null!;

    public RunningProgram Process { get; private set; } = null!;

    public static async Task<ApiServer> StartAsync(PostgresSettings? postgres = null, IReadOnlyDictionary<string, string>? variables = null, params string[] args)
    {
        var server = new ApiServer(postgres, variables, args);
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>Another process on the same store, at the same address.</summary>
    public async Task StartAgainAsync()
    {
        Process = _program.Start(["serve", "--port", $"{Http?.BaseAddress!.Port ?? 0}", .. _args]);
        Process.Drain();
        await Fleet.EventuallyAsync(() => Task.FromResult(Message("Ready") is not null), () => Task.FromResult(string.Join('\n', Process.Lines)));
        Http?.Dispose();
        Http = new HttpClient { BaseAddress = new Uri(Message("Listening on ")!["Listening on ".Length..]), Timeout = TimeSpan.FromSeconds(60) };
    }

    public Task<Reply> GetAsync(string path) => SendAsync(new HttpRequestMessage(HttpMethod.Get, path));

    public Task<Reply> PostAsync(string path, string? body = null, string? contentType = "application/json", params (string Name, string Value)[] headers) =>
        SendAsync(Request(path, body is null ? null : Encoding.UTF8.GetBytes(body), contentType, headers));

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
        return new Reply(response.StatusCode, response.Headers, response.Content.Headers, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    public Task<Reply> StateAsync(string thread) => GetAsync($"/deepagents-runtime/state/{thread}");

    /// <summary>The state, once it is this.</summary>
    public async Task<JsonElement> UntilAsync(string thread, string status, double seconds = 30)
    {
        var state = default(Reply);
        await Fleet.EventuallyAsync(
            async () => (state = await StateAsync(thread)).Status == HttpStatusCode.OK && state.Json.GetProperty("status").GetString() == status,
            () => Task.FromResult(state?.Body ?? "no answer"),
            seconds);
        return state!.Json;
    }

    public async ValueTask DisposeAsync()
    {
        Http?.Dispose();
        _program.Dispose();
        await ValueTask.CompletedTask;
    }

    private string? Message(string start) => Process.Lines.Where(line => line.StartsWith('{'))
        .Select(line => JsonElement.Parse(line).GetProperty("message").GetString()!).FirstOrDefault(message => message.StartsWith(start, StringComparison.Ordinal));
}

/// <summary>An answer, read whole.</summary>
public sealed record Reply(HttpStatusCode Status, HttpResponseHeaders Headers, HttpContentHeaders ContentHeaders, string Body)
{
    public JsonElement Json => JsonElement.Parse(Body);

    public string? Text(string name) => Json.GetProperty(name).GetString();

    /// <summary>Holds that it is a problem of this status and code; gives the paths of its faults.</summary>
    public IReadOnlyList<string> AssertProblem(HttpStatusCode status, string code)
    {
        Assert.True(status == Status, $"{(int)Status}: {Body}");
        Assert.Equal("application/problem+json", ContentHeaders.ContentType?.ToString());
        Assert.Equal(code, Text("code"));
        Assert.Equal((int)status, Json.GetProperty("status").GetInt32());
        Assert.Equal($"urn:agent-executor:problem:{code}", Text("type"));
        Assert.NotEmpty(Text("title")!);
        Assert.NotEmpty(Text("detail")!);
        return Json.TryGetProperty("faults", out var faults) ? [.. faults.EnumerateArray().Select(fault => fault.GetProperty("path").GetString()!)] : [];
    }

    public Reply AssertStatus(HttpStatusCode status)
    {
        Assert.True(status == Status, $"{((int)Status).ToString(CultureInfo.InvariantCulture)}: {Body}");
        return this;
    }
}
