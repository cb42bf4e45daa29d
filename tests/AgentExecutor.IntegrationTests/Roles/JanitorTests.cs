using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Roles;

public sealed class JanitorTests(PostgresFixture postgres)
{
    [Fact]
    public async Task The_janitor_deletes_threads_that_have_ended_and_keeps_those_that_wait()
    {
        await using var fleet = await Fleet.StartAsync(postgres, workers: 1);
        var definition = fleet.Program.WriteFile("agent.json", CountingAgents.Team(fleet.Tool.Url));
        await fleet.SubmitAsync(definition, "ended");
        await Wait.UntilAsync(async () => await fleet.StatusAsync("ended") == "completed");
        await fleet.Workers[0].StopAsync();
        await fleet.SubmitAsync(definition, "waits");

        fleet.Program.Variables["AGENT_EXECUTOR_RETENTION_FINISHED_DAYS"] = "0.000001";
        fleet.Program.Variables["ROLES"] = "janitor";
        fleet.StartWorker();

        await Wait.UntilAsync(async () => await fleet.CountAsync("SELECT count(*) FROM threads") == 1);
        Assert.Equal("pending", await fleet.StatusAsync("waits"));
    }
}
