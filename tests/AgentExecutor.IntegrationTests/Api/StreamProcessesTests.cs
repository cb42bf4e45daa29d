using AgentExecutor.IntegrationTests.Crash;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Api;

/// <summary>Several processes on one PostgreSQL and nothing else: the log is what they share.</summary>
public sealed class StreamProcessesTests(PostgresFixture postgres)
{
    private static readonly Dictionary<string, string> Quick = new()
    {
        ["AGENT_EXECUTOR_WORKER_LEASE_SECONDS"] = "2",
        ["AGENT_EXECUTOR_WORKER_RESCUE_SECONDS"] = "0.2",
    };

    [Fact]
    public async Task At_a_process_that_does_not_run_the_job_its_log_is_seen_as_it_grows()
    {
        var settings = await postgres.SchemaAsync();
        await using var runs = await ApiServer.StartAsync(settings);
        await using var watches = await ApiServer.StartAsync(settings, null, "--roles", "janitor");
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await runs.PostAsync("/deepagents-runtime/invoke", Jobs.Data("one", CrashDefinition.Team(tool.Url)));
        using var reader = await EventReader.OpenAsync(watches.Http, "one");
        using var socket = await SocketReader.OpenAsync(watches.Http, "one");
        using var here = await EventReader.OpenAsync(runs.Http, "one");

        var seen = await reader.UntilAsync("on_state_update"); // while it goes on
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
    public async Task When_the_worker_dies_in_mid_message_what_it_showed_is_superseded_and_the_log_goes_on()
    {
        var settings = await postgres.SchemaAsync();
        await using var dies = await ApiServer.StartAsync(settings, Quick);
        await using var lives = await ApiServer.StartAsync(settings, Quick);
        await dies.PostAsync("/deepagents-runtime/invoke", Jobs.Data("one", Jobs.Chatty(chunks: 200, chunkDelayMs: 10))); // who is given a job runs it
        using var near = await EventReader.OpenAsync(dies.Http, "one");
        var seen = new List<Told>();
        while (seen.Count(it => it.Type == "on_llm_stream") < 20)
        {
            seen.AddRange(await near.TakeAsync(1));
        }
        using var far = await EventReader.OpenAsync(lives.Http, "one");

        await dies.Process.KillAsync();
        seen.AddRange(await UntilCutAsync(near));
        using var again = await EventReader.OpenAsync(lives.Http, "one", seen[^1].Id);
        using var socket = await SocketReader.OpenAsync(lives.Http, "one", seen[^1].Id);

        var rest = await again.RestAsync();
        var farSeen = await far.RestAsync();
        var log = await EventReader.AllAsync(lives.Http, "one");
        Assert.Equal("completed", log[^1].Said.GetProperty("status").GetString());
        Assert.Equal(rest, await socket.ToEndAsync());
        foreach (var told in (List<Told>[])[[.. seen, .. rest], farSeen])
        {
            StreamTests.AssertInOrder(told);
            Assert.Equal(log.Where(it => it.IsLogged), told.Where(it => it.IsLogged));
        }
        // What was shown of the message counts no more once its worker is dead: it is told again, whole.
        var message = seen.Last(it => it.Type == "on_llm_stream").Said.GetProperty("message_id").GetString();
        var chunks = rest.Where(it => it.Type == "on_llm_stream" && it.Said.GetProperty("message_id").GetString() == message).ToList();
        Assert.True(chunks[0].Said.GetProperty("superseded").GetBoolean());
        Assert.Equal(
            string.Concat(Enumerable.Range(0, 200).Select(chunk => $"{chunk:x4}")),
            string.Concat(chunks.Skip(1).Select(it => it.Said.GetProperty("content").GetString())));
    }

    /// <summary>What came before the connection broke.</summary>
    private static async Task<List<Told>> UntilCutAsync(EventReader reader)
    {
        var told = new List<Told>();
        try
        {
            while (await reader.NextAsync() is { } next)
            {
                told.Add(next);
            }
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException)
        {
            // its process is dead
        }
        return told;
    }
}
