using System.Net;
using System.Text;
using AgentExecutor.Adapters;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Faults;

/// <summary>
/// The disk of PostgreSQL is full. The database is in a tablespace on a small file system. The write-ahead log is not, because PostgreSQL
/// crashes if it cannot write the log, and other tests cover crashes.
/// </summary>
public sealed class FullPostgresTests : IAsyncDisposable
{
    private const string Slow = """
        {"name": "slow", "nodes": [{"id": "s", "type": "orchestrator",
          "config": {"model": {"provider": "scripted", "model": "s", "script": [
          {"text": "looking", "delay_ms": 1500, "tool_calls": [{"name": "write_file", "args": {"file_path": "/a.md", "content": "hi"}}]},
          {"text": "looking", "delay_ms": 500, "tool_calls": [{"name": "ls", "args": {}}]}, {"text": "done"}]}}}]}
        """;

    private readonly HttpClient _http = new();
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("agent-executor-full-");

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        _directory.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Runs_wait_while_the_disk_is_full_and_each_ends_once_when_there_is_space()
    {
        PostgresFixture.SkipWithout();
        await using var disk = await SmallDisk.MountAsync(Path.Combine(_directory.FullName, "disk"), "48m");
        await LocalProcess.RunAsync("chmod", "a+rx", _directory.FullName);
        await LocalProcess.RunAsync("chown", "postgres", Path.Combine(_directory.FullName, "disk"));
        await using var postgres = await PostgresServer.StartAsync(alwaysOwn: true);
        await postgres.ExecuteAsync($"CREATE TABLESPACE small LOCATION '{_directory.FullName}/disk'");
        await postgres.ExecuteAsync("CREATE DATABASE small TABLESPACE small");
        var settings = PostgresFixture.Settings(postgres) with { Db = "small" };
        await AdapterCatalog.MigratePostgresAsync(settings, null, TimeProvider.System, NullLoggerFactory.Instance, Cancel);
        using var program = new AgentExecutorProgram { Postgres = settings };
        program.Variables["AGENT_EXECUTOR_WORKER_LEASE_SECONDS"] = "2";
        var service = program.Start("serve", "--port", "0");
        service.Drain();
        await Wait.UntilAsync(() => Count(service, 1203) == 1, () => string.Join('\n', service.Lines));
        var url = Fleet.Url(service);
        var accepted = new List<string>();
        for (var i = 0; i < 12; i++)
        {
            Assert.Equal(HttpStatusCode.OK, (await PostAsync(url, $"j{i}", "hello")).Status);
            accepted.Add($"j{i}");
        }

        var filler = Path.Combine(_directory.FullName, "disk", "filler");
        Fill(filler);
        var refused = default((HttpStatusCode Status, string Body));
        for (var i = 0; i < 200 && refused.Body is null; i++)
        {
            var answer = await PostAsync(url, $"late{i}", new string('x', 60_000));
            if (answer.Status == HttpStatusCode.OK)
            {
                accepted.Add($"late{i}");
            }
            else
            {
                refused = answer;
            }
        }

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
        Assert.Contains("53100", refused.Body, StringComparison.Ordinal);
        Assert.Contains("free space on the disk", refused.Body, StringComparison.Ordinal);
        await Wait.UntilAsync(async () =>
            await GetAsync($"{url}/ready") is (HttpStatusCode.ServiceUnavailable, var body)
            && body.Contains("53100", StringComparison.Ordinal)
        );
        await using var source = Npgsql.NpgsqlDataSource.Create(
            postgres.ConnectionString.Replace("Database=postgres", "Database=small", StringComparison.Ordinal)
        );
        await LeasesEndAsync(source, settings.Schema);
        Assert.Equal(1, Count(service, 1100));
        Assert.Contains(service.Lines, line => line.Contains("free space on the disk", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await GetAsync($"{url}/ready")).Status);

        File.Delete(filler);
        await Wait.UntilAsync(async () => (await GetAsync($"{url}/ready")).Status == HttpStatusCode.OK);
        foreach (var job in accepted)
        {
            await Wait.UntilAsync(async () =>
                (await GetAsync($"{url}/deepagents-runtime/state/{job}")).Body.Contains("\"completed\"", StringComparison.Ordinal)
            );
        }
        await using var results = source.CreateCommand($"SELECT count(*) FROM {settings.Schema}.messages WHERE stream = 'results'");
        await Wait.UntilAsync(async () => (long)(await results.ExecuteScalarAsync(Cancel))! == accepted.Count);
        Assert.Equal(1, Count(service, 1101));
    }

    /// <summary>Waits until the leases that are held now have ended. Steps of the runs are due meanwhile.</summary>
    private static async Task LeasesEndAsync(Npgsql.NpgsqlDataSource source, string schema)
    {
        await using var last = source.CreateCommand($"SELECT max(lease_until) FROM {schema}.threads WHERE is_held");
        var end = Assert.IsType<DateTime>(await last.ExecuteScalarAsync(Cancel));
        await using var hasEnded = source.CreateCommand("SELECT now() > $1");
        hasEnded.Parameters.Add(new() { Value = end });
        await Wait.UntilAsync(async () => (bool)(await hasEnded.ExecuteScalarAsync(Cancel))!);
    }

    /// <summary>Fills the disk completely.</summary>
    private static void Fill(string path)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, 1);
        try
        {
            var page = new byte[4096];
            while (true)
            {
                file.Write(page);
            }
        }
        catch (IOException)
        {
            // The disk is full.
        }
    }

    private static int Count(RunningProgram service, int eventId) =>
        service.Lines.Count(line =>
            line.Contains($"\"event_id\":{eventId},", StringComparison.Ordinal)
            || line.Contains($"\"event_id\":{eventId}}}", StringComparison.Ordinal)
        );

    private async Task<(HttpStatusCode Status, string Body)> PostAsync(string url, string id, string input)
    {
        using var body = new StringContent(JobRequests.Data(id, Slow, input), Encoding.UTF8, "application/json");
        using var response = await _http.PostAsync(new Uri($"{url}/deepagents-runtime/invoke"), body, Cancel);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(Cancel));
    }

    private async Task<(HttpStatusCode Status, string Body)> GetAsync(string url)
    {
        using var response = await _http.GetAsync(new Uri(url), Cancel);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(Cancel));
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
}
