using System.Net;
using System.Text;
using System.Text.Json;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Data.Sqlite;

namespace AgentExecutor.IntegrationTests.Faults;

/// <summary>The disk of the embedded database is full or read-only.</summary>
public sealed class DiskTests : IAsyncLifetime
{
    /// <summary>An agent that is still running when the service is killed.</summary>
    private const string Slow = """
        {"name": "slow", "nodes": [{"id": "s", "type": "orchestrator",
          "config": {"model": {"provider": "scripted", "model": "s", "script": [
          {"text": "looking", "delay_ms": 1000, "tool_calls": [{"name": "ls", "args": {}}]}, {"text": "done"}]}}}]}
        """;

    private readonly AgentExecutorProgram _program = new();
    private readonly HttpClient _http = new();
    private SmallDisk? _disk;
    private string _url = "";

    public async ValueTask InitializeAsync()
    {
        _program.Variables["AGENT_EXECUTOR_WORKER_LEASE_SECONDS"] = "1";
        _disk = await SmallDisk.MountAsync(_program.File("data"), "6m");
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        _program.Stop();
        if (_disk is not null)
        {
            await _disk.DisposeAsync();
        }
        _program.Dispose();
    }

    [Fact]
    public async Task Jobs_are_refused_while_the_disk_is_full_and_accepted_jobs_end_when_there_is_space()
    {
        await StartAsync();
        var accepted = new List<string>();
        var refused = default(Refusal);
        for (var i = 0; i < 200 && refused is null; i++)
        {
            refused = await TryPostAsync($"j{i}");
            if (refused is null)
            {
                accepted.Add($"j{i}");
            }
        }

        Assert.NotNull(refused);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
        Assert.Contains("disk is full", refused.Body, StringComparison.OrdinalIgnoreCase);
        await _disk!.ChangeAsync("size=256m");

        await Wait.UntilAsync(async () => await TryPostAsync("after") is null);
        foreach (var job in accepted.Append("after"))
        {
            await Wait.UntilAsync(async () => await StatusAsync(job) == "completed", () => StatusAsync(job)!);
        }
    }

    [Fact]
    public async Task A_command_on_a_read_only_disk_reports_the_cause_and_the_remedy()
    {
        var definition = _program.WriteFile("agent.json", JobRequests.Echo);
        Assert.Equal(0, (await _program.RunAsync("run", definition, "--input", "x")).ExitCode);
        await _disk!.ChangeAsync("ro");

        var refused = await _program.RunAsync("run", definition, "--input", "x");

        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains(
            $"the database '{_program.File("data")}/agent-executor.db' cannot be opened",
            refused.Error,
            StringComparison.Ordinal
        );
        Assert.Contains("mount the file system read-write", refused.Error, StringComparison.Ordinal);
        await _disk.ChangeAsync("rw");
        Assert.Equal(0, (await _program.RunAsync("run", definition, "--input", "x")).ExitCode);
    }

    [Fact]
    public async Task A_killed_service_that_starts_on_a_full_disk_runs_accepted_jobs_when_there_is_space()
    {
        await StartAsync();
        var accepted = new List<string>();
        while (accepted.Count < 200 && await TryPostAsync($"j{accepted.Count}", Slow) is null)
        {
            accepted.Add($"j{accepted.Count}");
        }
        Assert.InRange(accepted.Count, 1, 199);
        _program.Stop();

        var service = _program.Start("serve", "--port", "0");
        service.Drain();
        await UntilLoggedAsync(service, 1202);
        await _disk!.ChangeAsync("size=256m");
        await UntilLoggedAsync(service, 1203);
        _url = Fleet.Url(service);

        foreach (var job in accepted)
        {
            await Wait.UntilAsync(async () => await StatusAsync(job) == "completed", () => StatusAsync(job)!);
        }
        await Wait.UntilAsync(async () => await CountResultsAsync() == accepted.Count);
    }

    [Fact]
    public async Task Readiness_reports_a_full_disk_and_recovers_when_there_is_space()
    {
        await StartAsync();
        for (var i = 0; i < 200 && await TryPostAsync($"j{i}") is null; i++) { }

        await Wait.UntilAsync(async () =>
            (await ReadyAsync()) is { Status: HttpStatusCode.ServiceUnavailable } answer
            && answer.Body.Contains("the disk is full", StringComparison.Ordinal)
            && answer.Body.Contains("free space", StringComparison.Ordinal)
        );
        await _disk!.ChangeAsync("size=256m");
        await Wait.UntilAsync(async () => (await ReadyAsync()).Status == HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_service_on_a_read_only_disk_reports_it_and_starts_once_the_disk_is_writable()
    {
        await StartAsync();
        Assert.Null(await TryPostAsync("before", Slow));
        _program.Stop();
        await _disk!.ChangeAsync("ro");

        var service = _program.Start("serve", "--port", "0");
        service.Drain();
        await UntilLoggedAsync(service, 1201);
        await UntilLoggedAsync(service, 1202);
        _url = Fleet.Url(service);

        var ready = await ReadyAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.Status);
        Assert.Contains("mounted read-write", ready.Body, StringComparison.Ordinal);
        Assert.Contains(
            service.Lines,
            line =>
                line.Contains("Read-only file system", StringComparison.Ordinal)
                && line.Contains("mounted read-write", StringComparison.Ordinal)
        );
        await _disk.ChangeAsync("rw");
        await Wait.UntilAsync(async () => (await ReadyAsync()).Status == HttpStatusCode.OK);
        await Wait.UntilAsync(async () => await StatusAsync("before") == "completed", () => StatusAsync("before")!);
    }

    [Fact]
    public async Task A_service_with_a_read_only_file_reports_it_and_starts_once_the_file_is_writable()
    {
        await StartAsync();
        Assert.Null(await TryPostAsync("before", Slow));
        _program.Stop();
        var file = _program.File("data/agent-executor.db");
        await LocalProcess.RunAsync("mount", "--bind", file, file);
        await LocalProcess.RunAsync("mount", "-o", "remount,bind,ro", file);
        try
        {
            var refused = await _program.RunAsync("run", _program.WriteFile("agent.json", JobRequests.Echo), "--input", "x");

            Assert.NotEqual(0, refused.ExitCode);
            Assert.Contains(
                $"the database '{file}' cannot be written: the file, or its directory, is read-only",
                refused.Error,
                StringComparison.Ordinal
            );
            var service = _program.Start("serve", "--port", "0");
            service.Drain();
            await UntilLoggedAsync(service, 1201);
            await UntilLoggedAsync(service, 1202);
            _url = Fleet.Url(service);
            Assert.Contains("is read-only", (await ReadyAsync()).Body, StringComparison.Ordinal);
        }
        finally
        {
            await LocalProcess.RunAsync("umount", "-l", file);
        }
        await Wait.UntilAsync(async () => (await ReadyAsync()).Status == HttpStatusCode.OK);
        await Wait.UntilAsync(async () => await StatusAsync("before") == "completed", () => StatusAsync("before")!);
    }

    [Fact]
    public async Task A_second_service_on_the_same_embedded_database_is_refused_until_the_first_has_ended()
    {
        await StartAsync();

        var second = await _program.RunAsync("serve", "--port", "0");

        Assert.Equal(5, second.ExitCode);
        Assert.Contains($"another service uses the embedded database in '{_program.File("data")}'", second.Error, StringComparison.Ordinal);
        Assert.Contains("POSTGRES_HOST", second.Error, StringComparison.Ordinal);
        Assert.Null(await TryPostAsync("job"));
        _program.Stop();
        await StartAsync();
    }

    private async Task StartAsync()
    {
        var service = _program.Start("serve", "--port", "0");
        service.Drain();
        await UntilLoggedAsync(service, 1203);
        _url = Fleet.Url(service);
    }

    private static Task UntilLoggedAsync(RunningProgram service, int eventId) =>
        Wait.UntilAsync(
            () => service.Lines.Any(line => line.Contains($"\"event_id\":{eventId}", StringComparison.Ordinal)),
            () => string.Join('\n', service.Lines)
        );

    private async Task<Refusal> ReadyAsync()
    {
        using var response = await _http.GetAsync(new Uri($"{_url}/ready"), Cancel);
        return new Refusal(response.StatusCode, await response.Content.ReadAsStringAsync(Cancel));
    }

    /// <summary>The number of published results.</summary>
    private async Task<long> CountResultsAsync()
    {
        await using var connection = new SqliteConnection(
            $"Data Source={_program.File("data/agent-executor.db")};Mode=ReadOnly;Pooling=False"
        );
        await connection.OpenAsync(Cancel);
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM messages WHERE stream = 'results'";
        return (long)(await command.ExecuteScalarAsync(Cancel))!;
    }

    /// <summary>Returns null if the job was accepted.</summary>
    private async Task<Refusal?> TryPostAsync(string id, string definition = JobRequests.Echo)
    {
        using var body = new StringContent(JobRequests.Data(id, definition, new string('x', 100_000)), Encoding.UTF8, "application/json");
        using var response = await _http.PostAsync(new Uri($"{_url}/deepagents-runtime/invoke"), body, Cancel);
        return response.IsSuccessStatusCode ? null : new Refusal(response.StatusCode, await response.Content.ReadAsStringAsync(Cancel));
    }

    private async Task<string> StatusAsync(string id)
    {
        using var response = await _http.GetAsync(new Uri($"{_url}/deepagents-runtime/state/{id}"), Cancel);
        var body = await response.Content.ReadAsStringAsync(Cancel);
        return response.IsSuccessStatusCode ? JsonElement.Parse(body).GetProperty("status").GetString()! : body;
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private sealed record Refusal(HttpStatusCode Status, string Body);
}
