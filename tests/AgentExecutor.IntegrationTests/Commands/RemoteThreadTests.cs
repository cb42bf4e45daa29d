using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Commands;

/// <summary>The commands <c>cancel</c> and <c>resume --to</c>, with services and stores.</summary>
public sealed class RemoteThreadTests(ApiFixture api) : IDisposable
{
    private const string Nowhere = "http://127.0.0.1:1";

    private readonly AgentExecutorProgram _program = new() { Postgres = new Adapters.Postgres.PostgresSettings() };

    [Fact]
    public async Task A_thread_of_a_service_is_cancelled_over_http()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", JobRequests.Data(id, JobRequests.Asking("http://127.0.0.1:9/")));

        var cancel = await _program.RunAsync("cancel", id, "--to", Url(server));
        var again = await _program.RunAsync("cancel", id, "--to", Url(server));

        Assert.Equal((0, $"thread {id} cancelled\n"), (cancel.ExitCode, cancel.Output));
        Assert.Equal(0, again.ExitCode);
        Assert.Equal("cancelled", (await server.StateAsync(id)).Json.GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_running_thread_of_a_service_is_cancelled()
    {
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync(
            "/",
            JobRequests.Data(id, JobRequests.Chatty(chunks: 2_000, chunkDelayMs: 50)),
            headers: [("Prefer", "respond-async")]
        );

        var cancel = await _program.RunAsync("cancel", id, "--to", Url(server));

        Assert.True(cancel.ExitCode == 0, cancel.Error);
        await server.UntilAsync(id, "cancelled");
    }

    [Fact]
    public async Task A_thread_that_cannot_be_cancelled_is_reported_with_its_exit_code()
    {
        var (server, done) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", JobRequests.Data(done));

        var ended = await _program.RunAsync("cancel", done, "--to", Url(server));
        var unknown = await _program.RunAsync("cancel", "nobody", "--to", Url(server));
        var away = await _program.RunAsync("cancel", "x", "--to", Nowhere);
        var dots = await _program.RunAsync("cancel", "..", "--to", Url(server));

        Assert.Equal((2, 2, 5, 2), (ended.ExitCode, unknown.ExitCode, away.ExitCode, dots.ExitCode));
        Assert.Contains("nothing_to_cancel", ended.Error, StringComparison.Ordinal);
        Assert.Contains("unknown_thread", unknown.Error, StringComparison.Ordinal);
        Assert.Contains("no service answers", away.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_thread_of_the_embedded_database_is_cancelled_without_a_service()
    {
        using var program = new AgentExecutorProgram();
        var file = program.WriteFile("agent.json", JobRequests.Asking("http://127.0.0.1:9/"));
        Assert.Equal(3, (await program.RunAsync("run", file, "--input", "x", "--thread", "t")).ExitCode);

        var cancel = await program.RunAsync("cancel", "t");

        Assert.Equal((0, "thread t cancelled\n"), (cancel.ExitCode, cancel.Output));
        Assert.Contains("cancelled", (await program.RunAsync("threads")).Output, StringComparison.Ordinal);
        Assert.Equal(2, (await program.RunAsync("resume", "t", "--answer", "yes")).ExitCode);
    }

    [Fact]
    public async Task An_interrupted_thread_of_a_service_resumes_with_its_answer()
    {
        using var tool = new CountingServer();
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", JobRequests.Data(id, JobRequests.Asking(tool.Url)));

        var none = await _program.RunAsync("resume", id, "--to", Url(server));
        var resumed = await _program.RunAsync("resume", id, "--answer", "yes", "--to", Url(server), "--wait");

        Assert.Equal((2, 0), (none.ExitCode, resumed.ExitCode));
        Assert.Contains($"thread {id} completed", resumed.Error, StringComparison.Ordinal);
        Assert.Equal(2, (await _program.RunAsync("resume", id, "--answer", "yes", "--to", Url(server))).ExitCode);
    }

    [Fact]
    public async Task Resume_without_waiting_prints_how_to_watch()
    {
        using var tool = new CountingServer();
        var (server, id) = (await api.ServerAsync(), api.Id());
        await server.PostAsync("/", JobRequests.Data(id, JobRequests.Asking(tool.Url)));

        var resumed = await _program.RunAsync("resume", id, "--answer", "yes", "--to", Url(server));

        Assert.Equal(
            (0, $"thread {id} continues; to watch it: agent-executor watch {id} --to {Url(server)}\n"),
            (resumed.ExitCode, resumed.Output)
        );
        await server.UntilAsync(id, "completed");
    }

    [Fact]
    public async Task Resume_at_a_service_refuses_options_of_local_runs()
    {
        var result = await _program.RunAsync("resume", "t", "--to", Nowhere, "--model", "openai:x", "--out", "y");

        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--to and --model cannot be combined", result.Error, StringComparison.Ordinal);
        Assert.Contains("--to and --out cannot be combined", result.Error, StringComparison.Ordinal);
    }

    public void Dispose() => _program.Dispose();

    private static string Url(ApiServer server) => server.Http.BaseAddress!.ToString().TrimEnd('/');
}
