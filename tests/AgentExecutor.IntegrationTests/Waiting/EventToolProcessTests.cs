using System.Net;
using AgentExecutor.Core.Json;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Waiting;

/// <summary>Tools that are executed elsewhere, with real workers, PostgreSQL and NATS, some of which are killed.</summary>
public sealed class EventToolProcessTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_result_continues_the_run_once_over_http_and_by_message()
    {
        await using var fleet = await WaitingFleet.StartAsync(postgres, workers: 1);
        await using var admin = new JetStreamAdmin(fleet.Nats);
        await fleet.Bus.SendAsync(WaitingFleet.Paying("j"));
        var call = Assert.Single(await fleet.CallsAsync(1));
        Assert.Equal(("j", "pay"), (call.TextProperty("thread_id"), call.TextProperty("tool")));
        Assert.Equal(
            ["agent.resume.*", "agent.tool.results"],
            (await admin.FindStreamAsync("AGENT_INBOX", Cancel))!.Config.Subjects!.Order(StringComparer.Ordinal)
        );
        Assert.NotNull(await admin.FindConsumerAsync("AGENT_INBOX", "agent-executor-inbox", Cancel));
        var state = await fleet.SendAsync(HttpMethod.Get, "/deepagents-runtime/state/j");
        Assert.Equal(("running", "waiting"), (state.Text("status"), state.Text("phase")));
        var path = $"/threads/j/tool-results/{call.TextProperty("call_id")}";

        (await fleet.PostAsync("/threads/j/tool-results/other", """{"status": "success"}""")).AssertProblem(
            HttpStatusCode.NotFound,
            "unknown_tool_call"
        );
        (await fleet.PostAsync(path, """{"status": "done"}""")).AssertProblem(HttpStatusCode.BadRequest, "invalid_answer");
        (await fleet.PostAsync(path, """{"status": "success", "output": "paid"}""")).AssertStatus(HttpStatusCode.OK);
        (await fleet.PostAsync(path, """{"output": "paid", "status": "success"}""")).AssertStatus(HttpStatusCode.OK);
        (await fleet.PostAsync(path, """{"status": "success", "output": "other"}""")).AssertProblem(
            HttpStatusCode.Conflict,
            "answer_conflict"
        );
        await fleet.SendResultAsync(call, """{"status": "success", "output": "paid"}""");
        await fleet.SendResultAsync(call, """{"status": "error", "error": "no"}""");
        await fleet.SendRawAsync("agent.tool.results", "no json");

        Assert.Equal("paid", await fleet.OutputAsync("j"));
        Assert.Equal(["answer_conflict", "invalid_event"], (await fleet.DeadLettersAsync(2)).Order());
        Assert.Single(await fleet.CallsSoFarAsync());
    }

    [Fact]
    public async Task A_result_that_arrives_while_no_worker_is_alive_is_used_by_the_next_one()
    {
        await using var fleet = await WaitingFleet.StartAsync(postgres, workers: 2);
        await fleet.Bus.SendAsync(WaitingFleet.Paying("j"));
        var call = Assert.Single(await fleet.CallsAsync(1));
        await fleet.HasStatusAsync("j", "waiting");
        await fleet.KillAllAsync();

        await fleet.SendResultAsync(call, """{"status": "success", "output": "late"}""");
        fleet.Fleet.StartWorker();

        Assert.Equal("late", await fleet.OutputAsync("j"));
        Assert.Single(await fleet.CallsSoFarAsync());
    }

    [Fact]
    public async Task A_deadline_that_passes_while_no_worker_is_alive_is_met_by_the_next_one()
    {
        await using var fleet = await WaitingFleet.StartAsync(postgres, workers: 1);
        await fleet.Bus.SendAsync(WaitingFleet.Paying("j", ", \"timeout_seconds\": 2"));
        var call = Assert.Single(await fleet.CallsAsync(1));
        await fleet.HasStatusAsync("j", "waiting");
        await fleet.KillAllAsync();
        await Wait.UntilAsync(async () => await fleet.Fleet.CountAsync("SELECT count(*) FROM interrupts WHERE due_at < now()") == 1);

        fleet.Fleet.StartWorker();

        Assert.Contains("no result arrived within 2 s", await fleet.OutputAsync("j"), StringComparison.Ordinal);
        await fleet.SendResultAsync(call, """{"status": "success", "output": "too late"}""");
        Assert.Equal(["answer_conflict"], await fleet.DeadLettersAsync(1));
    }

    [Fact]
    public async Task Workers_that_are_killed_at_any_point_call_each_tool_once_and_use_each_result_once()
    {
        const int Jobs = 30;
        var random = new Random(7);
        await using var fleet = await WaitingFleet.StartAsync(postgres, workers: 2);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var answering = AnswerAllAsync(fleet, stop.Token);
        for (var job = 0; job < Jobs; job++)
        {
            await fleet.Bus.SendAsync(WaitingFleet.Paying($"j{job}"));
            if (job % 3 == 2)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(random.Next(10, 700)), TimeProvider.System, Cancel);
                await fleet.Fleet.KillAsync(fleet.Fleet.Workers[random.Next(fleet.Fleet.Workers.Count)]);
                fleet.Fleet.StartWorker();
            }
        }

        await Wait.UntilAsync(async () => (await fleet.Bus.ResultsAsync()).Count >= Jobs, seconds: 120);
        await stop.CancelAsync();
        await answering;

        var calls = await fleet.CallsSoFarAsync();
        Assert.Equal(Jobs, calls.Select(it => it.TextProperty("thread_id")).Distinct().Count());
        Assert.Equal(Jobs, calls.Count);
        var results = await fleet.Bus.ResultsAsync();
        Assert.Equal(Jobs, results.Count);
        Assert.All(results, it => Assert.Equal($"paid for {it.Job}", it.Data.GetProperty("result").TextProperty("output")));
        Assert.Empty(await fleet.Bus.ReadAsync(Core.Messaging.BusStream.DeadLetters));
    }

    /// <summary>Executes the calls: sends the result of each twice.</summary>
    private static async Task AnswerAllAsync(WaitingFleet fleet, CancellationToken cancellationToken)
    {
        var done = new HashSet<string>(StringComparer.Ordinal);
        while (!cancellationToken.IsCancellationRequested)
        {
            foreach (var call in (await fleet.CallsSoFarAsync()).Where(it => done.Add(it.TextProperty("call_id")!)))
            {
                var result = $$"""{"status": "success", "output": "paid for {{call.TextProperty("thread_id")}}"}""";
                await fleet.SendResultAsync(call, result);
                await fleet.SendResultAsync(call, result);
            }
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, CancellationToken.None);
        }
    }
}
