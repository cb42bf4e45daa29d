using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using AgentExecutor.IntegrationTests.Servers;
using NATS.Client.Core;
using NATS.Client.JetStream;

namespace AgentExecutor.Benchmarks;

/// <summary>
/// Measures tools that are executed elsewhere, on a real worker with PostgreSQL and nats-server: how much longer a job takes because of one
/// call that is answered at once. The time contains the message of the call, that of the result, and the claim of the waiting run.
/// </summary>
internal static class EventTools
{
    private const int WarmUp = 100;
    private const int Jobs = 300;

    private const string Tools = """
        [{"name": "elsewhere", "description": "d", "parameters": {"type": "object"}, "runtime": {"type": "event"}}]
        """;

    public static async Task<double> RoundTripAsync()
    {
        await using var postgres = (BenchStore.Postgres)await BenchStore.OpenAsync("postgres");
        await using var nats = await NatsServer.StartOwnAsync();
        await using var connection = JobsBenchmark.Connect(nats);
        using var worker = BenchWorker.Start(postgres, nats);
        await worker.ReadyAsync();
        using var stop = new CancellationTokenSource();
        var answering = AnswerAsync(connection, stop.Token);
        var with = await JobTimeAsync(connection, "elsewhere");
        var without = await JobTimeAsync(connection, "ls");
        await stop.CancelAsync();
        await answering;
        return with - without;
    }

    /// <summary>The median of the time in milliseconds from the publication of a job to its result. Jobs are sent one by one.</summary>
    private static async Task<double> JobTimeAsync(NatsConnection connection, string tool)
    {
        await using var results = await connection.SubscribeCoreAsync<byte[]>("agent.status.completed");
        await connection.PingAsync();
        var jetStream = new NatsJSContext(connection);
        var times = new double[WarmUp + Jobs];
        for (var i = 0; i < times.Length; i++)
        {
            var job = JobsBenchmark.Event(string.Create(CultureInfo.InvariantCulture, $"{tool}-{i}"), Definition(tool));
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30), TimeProvider.System);
            var started = Stopwatch.GetTimestamp();
            await jetStream.PublishAsync("agent.execute.bench", job, NatsRawSerializer<byte[]>.Default, cancellationToken: limit.Token);
            await results.Msgs.ReadAsync(limit.Token);
            times[i] = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        }
        return Report.Percentile([.. times[WarmUp..].Order()], 0.5);
    }

    private static string Definition(string tool) =>
        $$$"""
            {"name": "{{{tool}}}", "tool_definitions": {{{(tool == "ls" ? "[]" : Tools)}}}, "nodes": [{"id": "a", "type": "orchestrator",
              "config": {"tools": ["{{{tool}}}"], "model": {"provider": "scripted", "model": "m", "script": [
                {"tool_calls": [{"name": "{{{tool}}}", "args": {}}]}, {"text": "done"}]} }}]}
            """;

    /// <summary>The program elsewhere: it answers every call at once.</summary>
    private static async Task AnswerAsync(NatsConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var call in connection.SubscribeAsync<byte[]>("agent.tool.requests.*", cancellationToken: cancellationToken))
            {
                await connection.PublishAsync("agent.tool.results", Result(call.Data!), cancellationToken: cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // All jobs have ended.
        }
    }

    private static byte[] Result(byte[] call)
    {
        var data = JsonElement.Parse(call).GetProperty("data");
        var (thread, id) = (data.GetProperty("thread_id").GetString(), data.GetProperty("call_id").GetString());
        return Encoding.UTF8.GetBytes(
            $$$"""
            {"specversion": "1.0", "id": "{{{id}}}", "source": "/bench", "type": "dev.my-platform.agent.tool.completed",
             "datacontenttype": "application/json",
             "data": {"thread_id": "{{{thread}}}", "call_id": "{{{id}}}", "status": "success", "output": "x"} }
            """
        );
    }
}
