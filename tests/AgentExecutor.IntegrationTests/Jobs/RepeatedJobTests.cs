using System.Text;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Jobs;

/// <summary>A job id that is used again after the thread of the first job was deleted.</summary>
public sealed class RepeatedJobTests(PostgresFixture postgres)
{
    private const double DuplicateMinutes = 10;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task After_pruning_the_same_job_runs_again_and_both_results_are_stored_within_the_duplicate_window()
    {
        NatsFixture.SkipWithout();
        var settings = await postgres.SchemaAsync();
        await using var nats = await NatsServer.StartOwnAsync();
        await using var bus = new JobBus(nats, DuplicateMinutes);
        await using var fleet = Fleet.Start(settings, await postgres.ServerAsync(), workers: 0, nats);
        fleet.Program.Variables["AGENT_EXECUTOR_BUS_DUPLICATE_MINUTES"] = "10";
        fleet.StartWorker();
        var job = JobBus.Job("order", CountingAgents.Once(fleet.Tool.Url));
        await bus.SendAsync(job);
        await Wait.UntilAsync(async () => (await bus.ResultsAsync()).Count == 1);
        await Wait.UntilAsync(async () => await fleet.CountAsync("SELECT count(*) FROM outbox WHERE announced_at IS NULL") == 0);

        var pruned = await fleet.Program.RunAsync("prune", "--older-than", "0.001s");
        Assert.StartsWith("1 threads", pruned.Output, StringComparison.Ordinal);
        await bus.Bus.PublishAsync([new BusMessage("agent.execute.test", Encoding.UTF8.GetBytes(job)) { Id = "again" }], Cancel);

        await Wait.UntilAsync(async () => (await bus.ResultsAsync()).Count == 2);
        Assert.All(await bus.ResultsAsync(), result => Assert.Equal(("order", "completed"), (result.Job, result.Status)));
        Assert.Equal(2, (await bus.ReadAsync(BusStream.Results)).Select(message => message.Id).Distinct().Count());
        Assert.Equal([1, 1], fleet.Tool.Calls.Values); // one call with each of two keys
    }
}
