using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Crash;

/// <summary>
/// Stops the only worker for longer than its lease, as a suspended laptop does, and lets it continue: the run that it executes stays its
/// own.
/// </summary>
public sealed class FrozenWorkerTests(PostgresFixture postgres)
{
    /// <summary>Longer than the lease of one second.</summary>
    private static readonly TimeSpan Freeze = TimeSpan.FromSeconds(1.5);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_worker_that_was_frozen_past_its_lease_does_not_rescue_the_run_that_it_executes(bool onPostgres)
    {
        using var tool = new CountingServer();
        var gate = new TaskCompletionSource();
        tool.Gate = gate.Task;
        await using var server = await ApiServer.StartAsync(
            onPostgres ? await postgres.SchemaAsync() : null,
            new Dictionary<string, string> { ["AGENT_EXECUTOR_WORKER_LEASE_SECONDS"] = "1" }
        );
        await server.PostAsync("/deepagents-runtime/invoke", JobRequests.Data("frozen", CountingAgents.Once(tool.Url)));
        await Wait.UntilAsync(() => !tool.Calls.IsEmpty);

        for (var pause = 0; pause < 3; pause++)
        {
            await server.Process.SignalAsync("STOP");
            await Task.Delay(Freeze, TimeProvider.System, TestContext.Current.CancellationToken);
            await server.Process.SignalAsync("CONT");
            // The worker looks for expired leases meanwhile.
            await Task.Delay(TimeSpan.FromSeconds(0.5), TimeProvider.System, TestContext.Current.CancellationToken);
        }
        gate.SetResult();

        await server.UntilAsync("frozen", "completed");
        Assert.Equal(1, tool.Calls.Values.Sum());
        Assert.DoesNotContain(server.Process.Lines, line => line.Contains("\"event_id\":1007", StringComparison.Ordinal));
    }
}
