using System.Globalization;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Crash;

/// <summary>
/// Kills, freezes and stops worker processes that share PostgreSQL. Every run ends once, and no committed call is repeated.
/// </summary>
public sealed class WorkerCrashTests(PostgresFixture postgres)
{
    [Fact]
    public async Task A_worker_killed_at_any_step_border_is_replaced_by_another()
    {
        await using var fleet = await Fleet.StartAsync(postgres, workers: 2);
        var definition = fleet.Program.WriteFile("agent.json", CountingAgents.Team(fleet.Tool.Url));
        await fleet.SubmitAsync(definition, "whole");
        await fleet.AssertAllEndedOnceAsync(1);
        var steps = await fleet.CountAsync("SELECT count(*) FROM checkpoints");
        var modelCalls = await UsageAsync(fleet, "whole");
        Assert.True(steps >= 14, $"only {steps} checkpoints");

        for (var killAfter = 1; killAfter < steps; killAfter++)
        {
            var thread = $"killed-{killAfter}";
            await fleet.SubmitAsync(definition, thread);
            await Wait.UntilAsync(async () =>
                await fleet.CountAsync($"SELECT count(*) FROM checkpoints WHERE thread_id = '{thread}'") >= killAfter
            );
            if (await fleet.HolderAsync(thread) is { } holder)
            {
                await fleet.KillAsync(holder);
                var committed = await fleet.CommittedCallsAsync();
                fleet.StartWorker();
                await fleet.AssertAllEndedOnceAsync(killAfter + 1);
                Assert.All(committed, call => Assert.Equal(call.Value, fleet.Tool.Calls[call.Key]));
            }
            Assert.Equal(modelCalls, await UsageAsync(fleet, thread)); // A repeated call would count twice.
            Assert.Equal(CountingAgents.Answer, await fleet.AnswerAsync(thread));
        }
        await fleet.AssertAllEndedOnceAsync((int)steps);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task No_call_is_lost_or_repeated_when_workers_are_killed_at_random(int seed)
    {
        const int Runs = 40;
        var random = new Random(seed);
        await using var fleet = await Fleet.StartAsync(postgres, workers: 3);
        await fleet.SubmitCopiesAsync(fleet.Program.WriteFile("agent.json", CountingAgents.Team(fleet.Tool.Url, delayMs: 150)), Runs);
        for (var kill = 0; kill < 6; kill++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(150, 900)), TimeProvider.System, TestContext.Current.CancellationToken);
            await fleet.KillAsync(fleet.Workers[random.Next(fleet.Workers.Count)]);
            var committed = await fleet.CommittedCallsAsync();
            fleet.StartWorker();
            Assert.All(committed, call => Assert.Equal(call.Value, fleet.Tool.Calls[call.Key]));
        }

        await fleet.AssertAllEndedOnceAsync(Runs);

        for (var i = 0; i < Runs; i++)
        {
            Assert.Equal(CountingAgents.Answer, await fleet.AnswerAsync($"r{i}"));
            Assert.Equal(10, await UsageAsync(fleet, $"r{i}"));
        }
        Assert.Equal(2 * Runs, fleet.Tool.Calls.Count);
    }

    [Fact]
    public async Task A_worker_frozen_past_its_lease_changes_nothing_when_it_continues()
    {
        await using var fleet = await Fleet.StartAsync(postgres, workers: 2);
        await fleet.SubmitAsync(fleet.Program.WriteFile("agent.json", CountingAgents.Team(fleet.Tool.Url, delayMs: 300)), "frozen");
        await Wait.UntilAsync(async () => await fleet.CountAsync("SELECT count(*) FROM checkpoints WHERE thread_id = 'frozen'") >= 3);
        var holder = (await fleet.HolderAsync("frozen"))!;
        await holder.SignalAsync("STOP");

        await Wait.UntilAsync(async () => await fleet.HolderAsync("frozen") is { } other && other != holder);
        await holder.SignalAsync("CONT");
        await Wait.UntilAsync(() => holder.Lines.Any(line => line.Contains("\"event_id\":1006", StringComparison.Ordinal)));

        await fleet.AssertAllEndedOnceAsync(1);
        Assert.Equal(CountingAgents.Answer, await fleet.AnswerAsync("frozen"));
    }

    [Fact]
    public async Task A_worker_that_shuts_down_releases_its_runs_at_once()
    {
        await using var fleet = await Fleet.StartAsync(postgres, workers: 1);
        // The lease of the second worker. That of the first would expire too late for this test.
        fleet.Program.Variables["AGENT_EXECUTOR_WORKER_LEASE_SECONDS"] = "60";
        await fleet.SubmitAsync(fleet.Program.WriteFile("agent.json", CountingAgents.Team(fleet.Tool.Url, delayMs: 200)), "given-back");
        await Wait.UntilAsync(async () => await fleet.CountAsync("SELECT count(*) FROM checkpoints WHERE thread_id = 'given-back'") >= 2);

        await fleet.Workers[0].StopAsync();

        var attempts = await fleet.QueryAsync<int>("SELECT attempt FROM threads");
        Assert.Equal("pending", await fleet.StatusAsync("given-back"));
        Assert.Equal(0, await fleet.CountAsync("SELECT count(*) FROM threads WHERE is_held OR crashes > 0"));
        fleet.StartWorker();
        await fleet.AssertAllEndedOnceAsync(1);
        Assert.Equal(attempts + 1, await fleet.QueryAsync<int>("SELECT attempt FROM threads"));
    }

    [Fact]
    public async Task A_call_that_must_not_be_repeated_waits_for_a_person()
    {
        await using var fleet = await Fleet.StartAsync(postgres, workers: 1);
        var gate = new TaskCompletionSource();
        fleet.Tool.Gate = gate.Task;
        await fleet.SubmitAsync(fleet.Program.WriteFile("agent.json", CountingAgents.Once(fleet.Tool.Url)), "once");
        await Wait.UntilAsync(() => !fleet.Tool.Calls.IsEmpty);

        await fleet.KillAsync(fleet.Workers[0]);
        gate.SetResult();
        fleet.StartWorker();
        await Wait.UntilAsync(async () => await fleet.StatusAsync("once") == "interrupted");

        Assert.Equal(1, fleet.Tool.Calls.Values.Sum());
        Assert.Contains(
            "outcome_unknown",
            await fleet.QueryAsync<string>("SELECT convert_from(json, 'UTF8') FROM outbox"),
            StringComparison.Ordinal
        );
        var resumed = await fleet.Program.RunAsync(
            "resume",
            "once",
            "--answer",
            """{"decision": "result", "content": "a person looked: it was done"}"""
        );
        Assert.True(resumed.ExitCode == 0, resumed.Error);
        Assert.Equal("the tool said: a person looked: it was done\n", resumed.Output);
        Assert.Equal(1, fleet.Tool.Calls.Values.Sum());
    }

    [Fact]
    public async Task A_run_that_crashes_every_worker_fails_and_does_not_block_others()
    {
        await using var fleet = await Fleet.StartAsync(postgres, workers: 1);
        fleet.Program.Variables["AGENT_EXECUTOR_WORKER_MAX_CRASHES"] = "2";
        var never = new TaskCompletionSource();
        fleet.Tool.Gate = never.Task;
        await fleet.SubmitAsync(
            fleet.Program.WriteFile("agent.json", CountingAgents.Once(fleet.Tool.Url, effects: "idempotent")),
            "poison"
        );
        for (var crash = 1; crash <= 2; crash++)
        {
            await Wait.UntilAsync(() => fleet.Tool.Calls.Values.Sum() >= crash);
            await fleet.KillAsync(fleet.Workers[0]);
            fleet.StartWorker();
        }

        await Wait.UntilAsync(async () => await fleet.StatusAsync("poison") == "failed");

        Assert.Contains(
            "worker_crashed",
            await fleet.QueryAsync<string>("SELECT convert_from(json, 'UTF8') FROM outbox"),
            StringComparison.Ordinal
        );
        never.SetResult();
        await fleet.SubmitAsync(fleet.Program.WriteFile("next.json", CountingAgents.Team(fleet.Tool.Url)), "next");
        await Wait.UntilAsync(async () => await fleet.StatusAsync("next") == "completed");
    }

    private static async Task<int> UsageAsync(Fleet fleet, string thread) =>
        int.Parse(
            await fleet.QueryAsync<string>($"SELECT usage::json->>'model_calls' FROM threads WHERE thread_id = '{thread}'"),
            CultureInfo.InvariantCulture
        );
}
