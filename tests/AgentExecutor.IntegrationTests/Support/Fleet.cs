using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.IntegrationTests.Servers;
using Npgsql;

namespace AgentExecutor.IntegrationTests.Support;

/// <summary>Worker processes on one schema, which tests kill and freeze, and queries about their runs.</summary>
public sealed class Fleet : IAsyncDisposable
{
    private readonly AgentExecutorProgram _program;
    private readonly NpgsqlDataSource _source;
    private readonly List<RunningProgram> _workers = [];

    private Fleet(PostgresSettings settings, PostgresServer server, NatsServer? nats)
    {
        _program = new AgentExecutorProgram { Postgres = settings };
        _program.Variables["AGENT_EXECUTOR_WORKER_LEASE_SECONDS"] = "2";
        _program.Variables["AGENT_EXECUTOR_WORKER_MAX_CRASHES"] = "1000"; // A busy machine must not make a run look poisonous.
        _program.Variables["PORT"] = "0";
        if (nats is not null)
        {
            _program.Variables["NATS_URL"] = nats.Url;
            _program.Variables["AGENT_EXECUTOR_BUS_ACK_WAIT_SECONDS"] = "3";
            _program.Variables["AGENT_EXECUTOR_BUS_DUPLICATE_MINUTES"] = JobBus.DuplicateMinutes.ToString(CultureInfo.InvariantCulture);
        }
        _program.Variables["AGENT_EXECUTOR_WORKER_RESCUE_SECONDS"] = "0.2";
        _program.Variables["AGENT_EXECUTOR_HTTP_TOOLS_ALLOW_PRIVATE_NETWORKS"] = "true";
        _program.Variables["AGENT_EXECUTOR_GRACE_SECONDS"] = "5";
        _source = NpgsqlDataSource.Create($"{server.ConnectionString};SearchPath={settings.Schema};Pooling=false");
    }

    public CountingServer Tool { get; } = new();

    public IReadOnlyList<RunningProgram> Workers => _workers;

    public AgentExecutorProgram Program => _program;

    public static async Task<Fleet> StartAsync(PostgresFixture postgres, int workers) =>
        Start(await postgres.SchemaAsync(), await postgres.ServerAsync(), workers);

    public static Fleet Start(
        PostgresSettings settings,
        PostgresServer server,
        int workers,
        NatsServer? nats = null,
        params (string Name, string Value)[] variables
    )
    {
        var fleet = new Fleet(settings, server, nats);
        foreach (var (name, value) in variables)
        {
            fleet._program.Variables[name] = value;
        }
        for (var i = 0; i < workers; i++)
        {
            fleet.StartWorker();
        }
        return fleet;
    }

    public RunningProgram StartWorker()
    {
        var worker = _program.Start("serve");
        worker.Drain();
        _workers.Add(worker);
        return worker;
    }

    public async Task KillAsync(RunningProgram worker)
    {
        await worker.KillAsync();
        _workers.Remove(worker);
    }

    /// <summary>Sends SIGTERM to a worker and waits until it has ended.</summary>
    public async Task StopAsync(RunningProgram worker)
    {
        _workers.Remove(worker);
        await worker.StopAsync();
    }

    /// <summary>The URL at which a worker listens.</summary>
    public static string Url(RunningProgram worker)
    {
        const string Mark = "\"url\":\"";
        var line = worker.Lines.First(line => line.Contains("\"event_id\":1202", StringComparison.Ordinal));
        var start = line.IndexOf(Mark, StringComparison.Ordinal) + Mark.Length;
        return line[start..line.IndexOf('"', start)]
            .Replace("[::]", "127.0.0.1", StringComparison.Ordinal)
            .Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal);
    }

    /// <summary>Submits a run of the file. The thread and the run have the same id.</summary>
    public async Task SubmitAsync(string definition, string thread)
    {
        var result = await _program.RunAsync("submit", definition, "--input", "count", "--thread", thread, "--run-id", thread);
        Assert.True(result.ExitCode == 0, result.Error);
    }

    /// <summary>Submits one run and copies it in the database.</summary>
    public async Task SubmitCopiesAsync(string definition, int count)
    {
        await SubmitAsync(definition, "r0");
        await ExecuteAsync(
            $"""
            INSERT INTO threads (thread_id, run_id, fence, status, attempt, last_sequence, name, trace_id, definition_hash, created_at,
              updated_at, usage)
            SELECT 'r' || n, 'r' || n, 0, 'pending', 0, 0, name, trace_id, definition_hash, created_at, now(), '{NoUsage}'
            FROM runs, generate_series(1, {count - 1}) AS n WHERE run_id = 'r0';
            INSERT INTO runs SELECT 'r' || n, 'r' || n, 'pending', name, trace_id, definition_hash, created_at, now(), '{NoUsage}', NULL,
              true, input, priority, now(), NULL, 1
            FROM runs, generate_series(1, {count - 1}) AS n WHERE run_id = 'r0';
            """
        );
    }

    /// <summary>The worker that holds the thread, or null.</summary>
    public async Task<RunningProgram?> HolderAsync(string thread)
    {
        var holder = await QueryAsync<string?>($"SELECT holder FROM threads WHERE thread_id = '{thread}' AND is_held");
        return holder is null
            ? null
            : _workers.Find(worker => worker.Lines.Any(line => line.Contains($"\"worker\":\"{holder}\"", StringComparison.Ordinal)));
    }

    public async Task<string> StatusAsync(string thread) =>
        await QueryAsync<string>($"SELECT status FROM threads WHERE thread_id = '{thread}'");

    /// <summary>The output in the result of a run.</summary>
    public async Task<string> AnswerAsync(string thread) =>
        JsonElement
            .Parse(await QueryAsync<byte[]>($"SELECT json FROM outbox WHERE thread_id = '{thread}'"))
            .GetProperty("result")
            .GetProperty("output")
            .GetString()!;

    public Task<long> CountAsync(string sql) => QueryAsync<long>(sql);

    public async Task<T> QueryAsync<T>(string sql)
    {
        await using var command = _source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(Cancel) is T value ? value : default!;
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var command = _source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Cancel);
    }

    /// <summary>The committed tool calls, none of which may be repeated, with the number of requests for each.</summary>
    public async Task<Dictionary<string, int>> CommittedCallsAsync()
    {
        var calls = new Dictionary<string, int>(StringComparer.Ordinal);
        await using var command = _source.CreateCommand("SELECT task_id FROM tool_calls WHERE ended_at IS NOT NULL");
        await using var row = await command.ExecuteReaderAsync(Cancel);
        while (await row.ReadAsync(Cancel))
        {
            calls[row.GetString(0)] = Tool.Calls[row.GetString(0)];
        }
        return calls;
    }

    /// <summary>Waits until every run has completed, and asserts what must be true of each, however it was interrupted.</summary>
    public async Task AssertAllEndedOnceAsync(int runs)
    {
        await Wait.UntilAsync(
            async () => await CountAsync("SELECT count(*) FROM threads WHERE status = 'completed'") == runs,
            async () =>
                await QueryAsync<string>("SELECT string_agg(DISTINCT status || ' ' || coalesce(failure, ''), '; ') FROM threads")
                + string.Join('\n', _workers.SelectMany(worker => worker.Lines).TakeLast(20))
        );
        Assert.Equal(0, await CountAsync("SELECT count(*) FROM threads WHERE is_held"));
        Assert.Equal(runs, await CountAsync("SELECT count(*) FROM outbox"));
        Assert.Equal(runs, await CountAsync("SELECT count(DISTINCT thread_id) FROM outbox WHERE status = 'completed'"));
        Assert.Equal(runs, await CountAsync("SELECT count(*) FROM runs WHERE status = 'completed'"));
        // No two workers continued from the same checkpoint: each has at most one successor.
        Assert.Equal(
            0,
            await CountAsync(
                "SELECT count(*) FROM (SELECT 1 FROM checkpoints WHERE parent_checkpoint_id IS NOT NULL "
                    + "GROUP BY thread_id, checkpoint_ns, parent_checkpoint_id HAVING count(*) > 1) AS twins"
            )
        );
        Assert.Equal(runs, await EndsAsync());
        Assert.All(Tool.Calls, call => Assert.InRange(call.Value, 1, 12));
    }

    /// <summary>Counts the <c>end</c> events in the log, and asserts that the numbers of each thread grow.</summary>
    private async Task<int> EndsAsync()
    {
        var (ends, last) = (0, new ConcurrentDictionary<string, long>(StringComparer.Ordinal));
        await using var command = _source.CreateCommand("SELECT thread_id, json FROM events ORDER BY thread_id, sequence");
        await using var row = await command.ExecuteReaderAsync(Cancel);
        while (await row.ReadAsync(Cancel))
        {
            foreach (var logged in JsonElement.Parse(row.GetFieldValue<byte[]>(1)).EnumerateArray())
            {
                var sequence = logged.GetProperty("seq").GetInt64();
                Assert.True(sequence > last.GetValueOrDefault(row.GetString(0)), "sequence numbers of a thread grow");
                last[row.GetString(0)] = sequence;
                ends += logged.GetProperty("event_type").GetString() == "end" ? 1 : 0;
            }
        }
        return ends;
    }

    public async ValueTask DisposeAsync()
    {
        _program.Dispose();
        Tool.Dispose();
        await _source.DisposeAsync();
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private const string NoUsage =
        """{"supersteps":0,"model_calls":0,"tool_calls":0,"active_seconds":0,"tokens":{"input_tokens":0,"output_tokens":0}}""";
}
