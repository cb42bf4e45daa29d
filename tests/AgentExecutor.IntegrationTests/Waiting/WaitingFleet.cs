using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Waiting;

/// <summary>Worker processes on PostgreSQL and a NATS server of their own, with the calls, questions and answers of their runs.</summary>
public sealed class WaitingFleet : IAsyncDisposable
{
    public const string Key = "0123456789abcdef0123456789abcdef";
    public const string PublicUrl = "https://agents.example.com";

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(60) };

    private WaitingFleet(Fleet fleet, NatsServer nats) => (Fleet, Nats, Bus) = (fleet, nats, new JobBus(nats));

    public Fleet Fleet { get; }

    public NatsServer Nats { get; }

    public JobBus Bus { get; }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static async Task<WaitingFleet> StartAsync(PostgresFixture postgres, int workers)
    {
        NatsFixture.SkipWithout();
        var nats = await NatsServer.StartOwnAsync();
        var fleet = Fleet.Start(
            await postgres.SchemaAsync(),
            await postgres.ServerAsync(),
            workers,
            nats,
            ("SIGNING_KEY", Key),
            ("PUBLIC_URL", PublicUrl),
            ("AGENT_EXECUTOR_HTTP_HOST", "127.0.0.1")
        );
        return new WaitingFleet(fleet, nats);
    }

    /// <summary>A job that calls a tool which is executed elsewhere, and answers with its result.</summary>
    public static string Paying(string id, string runtime = "") =>
        JobBus.Job(
            id,
            """
            {"name": "pays", "tool_definitions": [{"name": "pay", "runtime": {"type": "event"RUNTIME}}],
             "nodes": [{"id": "a", "type": "orchestrator", "config": {"tools": ["pay"],
               "model": {"provider": "scripted", "model": "m", "script": [
                 {"tool_calls": [{"id": "c", "name": "pay", "args": {"amount": 5}}]}, {"text": "{{last}}"}]}}}]}
            """.Replace("RUNTIME", runtime, StringComparison.Ordinal)
        );

    /// <summary>A job that asks before it writes a file.</summary>
    public static string Asking(string id, string policy = "true") =>
        JobBus.Job(
            id,
            """
            {"name": "asks", "nodes": [{"id": "a", "type": "orchestrator", "config": {"interrupt_on": {"write_file": POLICY},
               "model": {"provider": "scripted", "model": "m", "script": [
                 {"tool_calls": [{"id": "c", "name": "write_file", "args": {"file_path": "/<a>.txt", "content": "<script>"}}]},
                 {"text": "{{last}}"}]}}}]}
            """.Replace("POLICY", policy, StringComparison.Ordinal)
        );

    /// <summary>Waits until so many calls were published, and returns their data.</summary>
    public async Task<List<JsonElement>> CallsAsync(int count)
    {
        List<JsonElement> calls = [];
        await Wait.UntilAsync(
            async () => (calls = await CallsSoFarAsync()).Count >= count,
            () => Task.FromResult($"{calls.Count} calls\n{Log()}")
        );
        return calls;
    }

    public async Task<List<JsonElement>> CallsSoFarAsync()
    {
        await using var admin = new JetStreamAdmin(Nats);
        if (await admin.FindStreamAsync("AGENT_TOOLS", Cancel) is null)
        {
            return [];
        }
        await Bus.Bus.OpenInboxAsync(Cancel);
        return [.. (await Bus.ReadAsync(BusStream.ToolRequests)).Select(it => JsonElement.Parse(it.Body.Span).GetProperty("data"))];
    }

    /// <summary>Waits until so many questions were announced, and returns the data of their events.</summary>
    public async Task<List<JsonElement>> QuestionsAsync(int count)
    {
        List<JsonElement> questions = [];
        await Wait.UntilAsync(
            async () =>
                (questions = [.. (await Bus.ResultsAsync()).Where(it => it.Status == "interrupted").Select(it => it.Data)]).Count >= count,
            () => Task.FromResult($"{questions.Count} questions\n{Log()}")
        );
        return questions;
    }

    /// <summary>Waits for the output of a job.</summary>
    public async Task<string?> OutputAsync(string job)
    {
        string? output = null;
        await Wait.UntilAsync(
            async () =>
            {
                var found = (await Bus.ResultsAsync()).FirstOrDefault(it => it.Job == job && it.Status is "completed" or "failed");
                output =
                    found.Status == "completed" ? found.Data.GetProperty("result").TextProperty("output")
                    : found.Status is null ? null
                    : found.Data.GetRawText();
                return output is not null;
            },
            () => Task.FromResult(Log())
        );
        return output;
    }

    public async Task HasStatusAsync(string job, string status) =>
        await Wait.UntilAsync(async () => await Fleet.StatusAsync(job) == status, () => Task.FromResult(Log()));

    public Task SendResultAsync(JsonElement call, string result) =>
        SendAsync(
            "agent.tool.results",
            "dev.my-platform.agent.tool.completed",
            $$"""{"thread_id": "{{call.TextProperty("thread_id")}}", "call_id": "{{call.TextProperty("call_id")}}", {{result[1..]}}"""
        );

    public Task AnswerAsync(string job, string interrupt, string answer) =>
        SendAsync(
            "agent.resume.test",
            "dev.my-platform.agent.resume",
            $$"""{"thread_id": "{{job}}", "answers": [{"interrupt_id": "{{interrupt}}", {{answer[1..]}}]}"""
        );

    public async Task SendAsync(string subject, string type, string data) =>
        await SendRawAsync(
            subject,
            $$"""{"specversion": "1.0", "id": "{{Guid.NewGuid()}}", "source": "/test", "type": "{{type}}", "data": {{data}}}"""
        );

    public async Task SendRawAsync(string subject, string body)
    {
        await Bus.Bus.OpenInboxAsync(Cancel);
        await Bus.Bus.PublishAsync([new BusMessage(subject, Encoding.UTF8.GetBytes(body))], Cancel);
    }

    public async Task<List<string?>> DeadLettersAsync(int count)
    {
        List<StoredMessage> letters = [];
        await Wait.UntilAsync(
            async () => (letters = await Bus.ReadAsync(BusStream.DeadLetters)).Count >= count,
            () => Task.FromResult($"{letters.Count} dead letters\n{Log()}")
        );
        return letters.ConvertAll(it => it.Header("Dead-Letter-Code"));
    }

    /// <summary>Sends a request to the first worker.</summary>
    public async Task<Reply> SendAsync(HttpMethod method, string path, HttpContent? content = null, params (string, string)[] headers)
    {
        var worker = Fleet.Workers[0];
        await Wait.UntilAsync(() => worker.Lines.Any(it => it.Contains("\"event_id\":1202", StringComparison.Ordinal)));
        using var request = new HttpRequestMessage(method, Fleet.Url(worker) + path) { Content = content };
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        using var response = await _http.SendAsync(request, Cancel);
        return new Reply(response.StatusCode, response.Headers, response.Content.Headers, await response.Content.ReadAsStringAsync(Cancel));
    }

    public Task<Reply> PostAsync(string path, string json) =>
        SendAsync(HttpMethod.Post, path, new StringContent(json, Encoding.UTF8, "application/json"));

    public async Task KillAllAsync()
    {
        foreach (var worker in Fleet.Workers.ToList())
        {
            await Fleet.KillAsync(worker);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Bus.DisposeAsync();
        await Fleet.DisposeAsync();
        await Nats.DisposeAsync();
    }

    private string Log() => string.Join('\n', Fleet.Workers.SelectMany(worker => worker.Lines).TakeLast(20));
}
