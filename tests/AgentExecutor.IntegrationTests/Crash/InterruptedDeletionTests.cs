using AgentExecutor.IntegrationTests.Postgres;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Crash;

/// <summary>
/// Stops or kills the process that deletes a finished thread in the middle of the deletion. The thread does not run again, and another
/// process finishes the deletion.
/// </summary>
public sealed class InterruptedDeletionTests(PostgresFixture postgres)
{
    private const string Deleting = "SELECT count(*) FROM threads WHERE deletion_started_at IS NOT NULL";

    private const string ExpireJanitor = "UPDATE upkeep SET lease_until = now() - interval '1 second'";

    [Theory]
    [InlineData("TERM")]
    [InlineData("KILL")]
    public async Task The_janitor_is_interrupted(string signal)
    {
        await using var fleet = await FinishAsync();
        fleet.Program.Variables["AGENT_EXECUTOR_RETENTION_FINISHED_DAYS"] = "0.000001";
        fleet.Program.Variables["AGENT_EXECUTOR_RETENTION_SWEEP_SECONDS"] = "0.2";

        await InterruptAsync(fleet, signal, "serve", "--roles", "janitor");

        await AssertFinishedOnceAsync(fleet);
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("KILL")]
    public async Task The_prune_command_is_interrupted(string signal)
    {
        await using var fleet = await FinishAsync();

        await InterruptAsync(fleet, signal, "prune", "--older-than", "0.001s");

        await AssertFinishedOnceAsync(fleet);
    }

    /// <summary>
    /// The run <c>once</c> has ended with one result, after one call of a tool that must not be called twice. The run <c>lost</c> was being
    /// executed when its worker was killed.
    /// </summary>
    private async Task<Fleet> FinishAsync()
    {
        var fleet = await Fleet.StartAsync(postgres, workers: 1);
        await fleet.SubmitAsync(fleet.Program.WriteFile("once.json", CountingAgents.Once(fleet.Tool.Url)), "once");
        await Wait.UntilAsync(async () =>
            await fleet.CountAsync("SELECT count(*) FROM threads WHERE thread_id = 'once' AND status = 'completed'") == 1
        );
        Assert.Equal([1], fleet.Tool.Calls.Values);
        Assert.Equal(1, await fleet.CountAsync("SELECT count(*) FROM outbox"));
        // As a relay does, which this test does not run.
        await fleet.ExecuteAsync("UPDATE outbox SET announced_at = now() WHERE announced_at IS NULL");
        var gate = new TaskCompletionSource();
        fleet.Tool.Gate = gate.Task;
        await fleet.SubmitAsync(fleet.Program.WriteFile("lost.json", CountingAgents.Once(fleet.Tool.Url, "idempotent")), "lost");
        await Wait.UntilAsync(() => fleet.Tool.Calls.Count == 2);
        await fleet.KillAsync(fleet.Workers[0]);
        fleet.Tool.Gate = Task.CompletedTask;
        gate.SetResult();
        return fleet;
    }

    private async Task InterruptAsync(Fleet fleet, string signal, params string[] command)
    {
        var blocker = new DeletionBlocker(await postgres.ServerAsync(), fleet.Program.Postgres!.Schema);
        await fleet.ExecuteAsync(ExpireJanitor);
        await using (var locked = await blocker.LockAsync("once"))
        {
            var process = fleet.Program.Start(command);
            process.Drain();
            await blocker.WaitForBlockedAsync(locked);
            await process.SignalAsync(signal);
            await process.EndAsync();
            // Otherwise the server would execute the statement of the dead process once the lock is released.
            await blocker.TerminateBlockedAsync(locked);
        }
        Assert.Equal(1, await fleet.CountAsync(Deleting));
        await blocker.ExpireLeasesAsync();
        await fleet.ExecuteAsync(ExpireJanitor);
    }

    /// <summary>A worker rescues only the lost run. Then a janitor finishes the deletion.</summary>
    private static async Task AssertFinishedOnceAsync(Fleet fleet)
    {
        fleet.Program.Variables["ROLES"] = "executor";
        var worker = fleet.StartWorker();
        await Wait.UntilAsync(async () =>
            await fleet.CountAsync("SELECT count(*) FROM threads WHERE thread_id = 'lost' AND status = 'completed'") == 1
        );

        Assert.Equal(1, await fleet.CountAsync(Deleting));
        Assert.Equal(0, await fleet.CountAsync("SELECT count(*) FROM runs WHERE thread_id = 'once'"));
        Assert.InRange(await fleet.CountAsync("SELECT count(*) FROM outbox WHERE thread_id = 'once'"), 0, 1);

        fleet.Program.Variables["ROLES"] = "janitor";
        fleet.Program.Variables["AGENT_EXECUTOR_RETENTION_SWEEP_SECONDS"] = "0.2";
        fleet.Program.Variables["AGENT_EXECUTOR_RETENTION_FINISHED_DAYS"] = "0"; // It only finishes deletions that have begun.
        fleet.StartWorker();
        await Wait.UntilAsync(async () => await fleet.CountAsync("SELECT count(*) FROM threads WHERE thread_id = 'once'") == 0);
        Assert.Equal([1, 2], fleet.Tool.Calls.Values.Order());
        Assert.Equal(0, await fleet.CountAsync("SELECT count(*) FROM outbox WHERE thread_id = 'once'"));
        Assert.DoesNotContain(worker.Lines, line => line.Contains("\"thread_id\":\"once\"", StringComparison.Ordinal));
    }
}
