using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Api;

/// <summary>Several processes share one PostgreSQL server, and therefore only the log of events.</summary>
public sealed class StreamProcessesTests(PostgresFixture postgres)
{
    private static readonly Dictionary<string, string> Quick = new()
    {
        ["AGENT_EXECUTOR_WORKER_LEASE_SECONDS"] = "2",
        ["AGENT_EXECUTOR_WORKER_RESCUE_SECONDS"] = "0.2",
    };

    [Fact]
    public async Task A_process_that_does_not_run_the_job_streams_its_log_as_it_grows()
    {
        var settings = await postgres.SchemaAsync();
        await using var runs = await ApiServer.StartAsync(settings);
        await using var watches = await ApiServer.StartAsync(settings, null, "--roles", "janitor");
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await runs.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", CountingAgents.Team(tool.Url)));
        using var reader = await EventReader.OpenAsync(watches.Http, "one");
        using var socket = await SocketReader.OpenAsync(watches.Http, "one");
        using var here = await EventReader.OpenAsync(runs.Http, "one");

        var seen = await reader.UntilAsync("on_state_update"); // while the run continues
        Assert.Equal("running", (await watches.StateAsync("one")).Text("status"));
        gate.SetResult();
        seen.AddRange(await reader.RestAsync());

        var log = await EventReader.AllAsync(runs.Http, "one");
        Assert.DoesNotContain(log, it => it.Type == "on_llm_stream");
        Assert.Equal(log, seen);
        Assert.Equal(log, await socket.ToEndAsync());
        Assert.Equal(log, await EventReader.AllAsync(watches.Http, "one"));
        Assert.Equal(log, (await here.RestAsync()).Where(it => it.IsLogged));
    }

    [Fact]
    public async Task When_a_worker_dies_in_mid_message_its_chunks_are_superseded_and_the_log_continues()
    {
        var settings = await postgres.SchemaAsync();
        await using var dies = await ApiServer.StartAsync(settings, Quick);
        await dies.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", JobRequests.Chatty(chunks: 200, chunkDelayMs: 20)));
        using var near = await EventReader.OpenAsync(dies.Http, "one");
        var seen = new List<WatchedEvent>();
        while (seen.Count(it => it.Type == "on_llm_stream") < 20)
        {
            seen.AddRange(await near.TakeAsync(1));
        }
        // The second process starts only now, so that the first claims the job. The first is suspended until it is killed.
        await dies.Process.SignalAsync("STOP");
        await using var lives = await ApiServer.StartAsync(settings, Quick);
        using var far = await EventReader.OpenAsync(lives.Http, "one");

        await dies.Process.KillAsync();
        seen.AddRange(await UntilCutAsync(near));
        using var again = await EventReader.OpenAsync(lives.Http, "one", seen[^1].Id);
        using var socket = await SocketReader.OpenAsync(lives.Http, "one", seen[^1].Id);

        var rest = await again.RestAsync();
        var farSeen = await far.RestAsync();
        var log = await EventReader.AllAsync(lives.Http, "one");
        Assert.Equal("completed", log[^1].Payload.GetProperty("status").GetString());
        Assert.Equal(rest, await socket.ToEndAsync());
        foreach (
            var received in (List<WatchedEvent>[])
                [
                    [.. seen, .. rest],
                    farSeen,
                ]
        )
        {
            WatchedEvents.AssertInOrder(received);
            Assert.Equal(log.Where(it => it.IsLogged), received.Where(it => it.IsLogged));
        }
        // The chunks of the message are invalid once its worker is dead. The whole message is sent again.
        var message = seen.Last(it => it.Type == "on_llm_stream").Payload.GetProperty("message_id").GetString();
        var chunks = rest.Where(it => it.Type == "on_llm_stream" && it.Payload.GetProperty("message_id").GetString() == message).ToList();
        Assert.True(chunks[0].Payload.GetProperty("superseded").GetBoolean());
        Assert.Equal(
            string.Concat(Enumerable.Range(0, 200).Select(chunk => $"{chunk:x4}")),
            string.Concat(chunks.Skip(1).Select(it => it.Payload.GetProperty("content").GetString()))
        );
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_number_of_an_earlier_thread_with_the_same_id_restarts_the_stream_at_any_process(bool overRedis)
    {
        await using var site = overRedis ? await StreamSite.CreateAsync(postgres) : null;
        var settings = await postgres.SchemaAsync();
        var (runs, watches) = site is not null
            ? await site.StartBothAsync()
            : (await ApiServer.StartAsync(settings), await ApiServer.StartAsync(settings, null, "--roles", "janitor"));
        await using var _ = site is null ? runs : null;
        await using var __ = site is null ? watches : null;
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await runs.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("one", CountingAgents.Team(tool.Url)));
        await Wait.UntilAsync(() => tool.Calls.Count == 2); // Several commits of the run are stored.
        using var far = await EventReader.OpenAsync(watches.Http, "one", after: 100_000);
        using var socket = await SocketReader.OpenAsync(watches.Http, "one", after: 100_000);
        using var near = await EventReader.OpenAsync(runs.Http, "one", after: 100_000);

        var first = await near.TakeAsync(1); // while the run is executed
        gate.SetResult();

        var log = (await EventReader.AllAsync(runs.Http, "one")).Where(it => it.IsLogged).ToList();
        Assert.Equal(log, first.Concat(await near.RestAsync()).Where(it => it.IsLogged));
        Assert.Equal(log, (await far.RestAsync()).Where(it => it.IsLogged));
        Assert.Equal(log, (await socket.ToEndAsync()).Where(it => it.IsLogged));
    }

    /// <summary>The events before the connection broke.</summary>
    private static async Task<List<WatchedEvent>> UntilCutAsync(EventReader reader)
    {
        var received = new List<WatchedEvent>();
        try
        {
            while (await reader.NextAsync() is { } next)
            {
                received.Add(next);
            }
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException)
        {
            // The process is dead.
        }
        return received;
    }
}
