using System.Diagnostics;
using System.Text;
using AgentExecutor.Adapters;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;
using AgentExecutor.Core.Tools;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Benchmarks;

/// <summary>
/// Measures model calls over real HTTP: how much longer a streamed call takes than the bare exchange of the same bytes, through the client
/// of the provider and as a run of an agent on the in-memory store, and how many such runs one process can execute at once.
/// </summary>
internal static class ModelsBenchmark
{
    private const int Chunks = 100;
    private const int Rounds = 2_000;
    private const int Streams = 1_000;

    private const string Prompt = "Tell me something.";

    public static async Task<Dictionary<string, double>> RunAsync()
    {
        using var server = StreamingModelServer.Start();
        var models = new ModelCatalog(
            AdapterCatalog.ModelProviders(
                new ModelServerSettings { OpenaiBaseUrl = server.Url, OpenaiApiKey = new Secret("sk-benchmark") },
                TimeProvider.System
            )
        );
        var figures = new Dictionary<string, double>();
        await MeasureOverheadAsync(server, models, figures);
        await HoldStreamsAsync(models, figures);
        return figures;
    }

    /// <summary>Measures the three alternately, so that other load on the machine affects them equally.</summary>
    private static async Task MeasureOverheadAsync(StreamingModelServer server, ModelCatalog models, Dictionary<string, double> figures)
    {
        using var http = new HttpClient();
        using var client = models.CreateClient(new ModelSpec { Provider = "openai", Model = $"chunks-{Chunks}-0" });
        var agents = Agents(models);
        var (bare, called, run) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = -Rounds / 4; round < Rounds; round++)
        {
            var times = (
                await TimeAsync(() => ExchangeAsync(http, server)),
                await TimeAsync(() => CallAsync(client)),
                await TimeAsync(() => AskAsync(agents, $"run-{round}", $"chunks-{Chunks}-0"))
            );
            if (round >= 0) // the rounds before are for compilation
            {
                bare.Add(times.Item1);
                called.Add(times.Item2);
                run.Add(times.Item3);
            }
        }
        figures["bare_exchange_ms_p50"] = Median(bare);
        figures["client_overhead_ms_p50"] = Median(called) - Median(bare);
        figures["overhead_ms_p50"] = Median(run) - Median(bare);
    }

    /// <summary>Runs many agents at once whose model takes about ten seconds for its answer.</summary>
    private static async Task HoldStreamsAsync(ModelCatalog models, Dictionary<string, double> figures)
    {
        var agents = Agents(models);
        var before = Memory();
        using var stop = new CancellationTokenSource();
        var peak = WatchMemoryAsync(stop.Token);
        var watch = Stopwatch.StartNew();
        var runs = await Task.WhenAll(Enumerable.Range(0, Streams).Select(i => AskAsync(agents, $"stream-{i}", "chunks-50-200")));
        var seconds = watch.Elapsed.TotalSeconds;
        await stop.CancelAsync();
        figures["concurrent_streams"] = runs.Count(static outcome =>
            outcome.Run.Status == RunStatus.Completed && outcome.Output.Length == 50 * " token".Length
        );
        figures["seconds_for_all_streams"] = seconds;
        figures["rss_mb_before"] = before;
        figures["rss_mb_at_1000_streams"] = await peak;
    }

    private static RunExecutor Agents(ModelCatalog models)
    {
        var store = new InMemoryCheckpointStore();
        return new RunExecutor(
            new RunServices(store, new InMemoryEventStream(), TimeProvider.System),
            store,
            new CompiledAgents(new DefinitionEnvironment(models, new ToolCatalog([]), new RunLimits()))
        );
    }

    private static async Task<RunOutcome> AskAsync(RunExecutor agents, string id, string model)
    {
        var definition = Encoding.UTF8.GetBytes(
            $$$"""{"name": "streamer", "nodes": [{"id": "a", "type": "orchestrator", "config": {"model": "openai:{{{model}}}"}}]}"""
        );
        var outcome = await agents.StartAsync(
            new RunRequest(id, id, definition, System.Text.Json.JsonElement.Parse($$"""{"user_request": "{{Prompt}}"}""")),
            default
        );
        return outcome.Run.Failure is { } failure ? throw new InvalidOperationException(failure.Message) : outcome;
    }

    private static async Task CallAsync(IChatClient client)
    {
        var length = 0;
        await foreach (
            var update in client.GetStreamingResponseAsync(
                [new ChatMessage(ChatRole.User, Prompt)],
                new ChatOptions { ModelId = $"chunks-{Chunks}-0" }
            )
        )
        {
            length += update.Text.Length;
        }
        if (length != Chunks * " token".Length)
        {
            throw new InvalidOperationException($"an answer of {length} characters");
        }
    }

    private static async Task ExchangeAsync(HttpClient http, StreamingModelServer server)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"{server.Url}/chat/completions"))
        {
            Content = new StringContent(
                $$"""{"model":"chunks-{{Chunks}}-0","stream":true,"messages":[{"role":"user","content":"{{Prompt}}"}]}""",
                Encoding.UTF8,
                "application/json"
            ),
        };
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await using var body = await response.Content.ReadAsStreamAsync();
        await body.CopyToAsync(Stream.Null);
    }

    private static async Task<double> TimeAsync(Func<Task> work)
    {
        var started = Stopwatch.GetTimestamp();
        await work();
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private static double Median(List<double> values) => Report.Percentile([.. values.Order()], 0.5);

    private static async Task<double> WatchMemoryAsync(CancellationToken cancellationToken)
    {
        var peak = Memory();
        while (!cancellationToken.IsCancellationRequested)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, CancellationToken.None);
            peak = Math.Max(peak, Memory());
        }
        return peak;
    }

    private static double Memory()
    {
        using var self = Process.GetCurrentProcess();
        return self.WorkingSet64 / (1024.0 * 1024.0);
    }
}
