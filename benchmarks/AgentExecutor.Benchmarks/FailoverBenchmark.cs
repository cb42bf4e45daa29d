using System.Diagnostics;
using System.Globalization;
using System.Text;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Benchmarks;

/// <summary>
/// Measures the time from kill -9 of a real worker with 100 runs in flight until another worker has stored a step of each of them. It uses
/// the default leases of 5 s.
/// </summary>
internal static class FailoverBenchmark
{
    private const int Runs = 100;
    private const int Rounds = 3;
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    /// <summary>A loop of a model call that takes 100 ms and a call of a built-in tool.</summary>
    private const string Definition = """
        {"name": "failover", "nodes": [{"id": "lead", "type": "orchestrator",
         "config": {"model": {"provider": "scripted", "model": "lead", "script": [
          {"when": {}, "delay_ms": 100, "tool_calls": [{"name": "ls", "args": {"path": "/"}}]}]}}}]}
        """;

    public static async Task<Dictionary<string, double>> RunAsync(string name)
    {
        await using var store =
            await BenchStore.OpenAsync(name) as BenchStore.Postgres ?? throw new ArgumentException("workers share postgres alone");
        var seconds = new List<double>();
        for (var round = 0; round < Rounds; round++)
        {
            seconds.AddRange(await RoundAsync(store, round));
        }
        var sorted = seconds.Order().ToArray();
        return new Dictionary<string, double> { ["p50_seconds"] = Report.Percentile(sorted, 0.5), ["max_seconds"] = sorted[^1] };
    }

    private static async Task<List<double>> RoundAsync(BenchStore.Postgres store, int round)
    {
        using var first = BenchWorker.Start(store, null);
        await SubmitAsync(store.Queue, round);
        var running =
            $"SELECT count(*) FROM threads WHERE thread_id LIKE 'f{round}-%' AND is_held AND (usage::json->>'supersteps')::int >= 2";
        while (await store.QueryAsync(running) < Runs)
        {
            await Task.Delay(Look, TimeProvider.System);
        }
        using var second = BenchWorker.Start(store, null);
        await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System); // until it is ready, and the ages of the leases are spread
        var killing = first.KillAsync();
        var watch = Stopwatch.StartNew();
        await killing;
        // The last commits of the killed worker may still be in progress, so only steps with a new fencing token count.
        var moved =
            $"SELECT count(*) FROM threads WHERE thread_id LIKE 'f{round}-%' AND attempt = 2 "
            + $"AND last_sequence > {Core.Sessions.Transitions.Start.SequenceGap} AND "
            + "(SELECT max(sequence) FROM events AS e WHERE e.thread_id = threads.thread_id) > "
            + Core.Sessions.Transitions.Start.SequenceGap;
        var seconds = new List<double>();
        while (seconds.Count < Runs)
        {
            await Task.Delay(Look, TimeProvider.System);
            var count = (int)await store.QueryAsync(moved);
            while (seconds.Count < count)
            {
                seconds.Add(watch.Elapsed.TotalSeconds);
            }
        }
        await second.KillAsync();
        await store.ExecuteAsync("TRUNCATE threads, runs, checkpoints, checkpoint_writes, checkpoint_blobs, events, outbox, queue");
        return seconds;
    }

    private static async Task SubmitAsync(IRunQueue queue, int round)
    {
        var json = Encoding.UTF8.GetBytes(Definition);
        var definition = new StoredDefinition(AgentCompiler.HashOf(json), json);
        for (var i = 0; i < Runs; i++)
        {
            var now = TimeProvider.System.GetUtcNow();
            var id = string.Create(CultureInfo.InvariantCulture, $"f{round}-{i}");
            var run = new Run
            {
                ThreadId = id,
                RunId = id,
                Name = "failover",
                DefinitionHash = definition.Hash,
                CreatedAt = now,
                UpdatedAt = now,
            };
            await queue.SubmitAsync(
                [new RunSubmission(run, definition, """{"user_request": "go"}"""u8.ToArray())],
                null,
                CancellationToken.None
            );
        }
    }
}
