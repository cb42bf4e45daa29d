using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;
using AgentExecutor.Tests.Metrics;

namespace AgentExecutor.Tests.Jobs;

public sealed class DeadLettersTests : IAsyncDisposable
{
    private readonly JobService _service = new();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task A_dead_letter_is_sent_again_unchanged()
    {
        await _service.Bus.PublishAsync(
            [
                new BusMessage("agent.execute.mine", "not json"u8.ToArray())
                {
                    Headers =
                    [
                        KeyValuePair.Create("Content-Type", "text/plain"),
                        KeyValuePair.Create("X-A", "1"),
                        KeyValuePair.Create("X-A", "2"),
                    ],
                },
            ],
            JobService.Cancel
        );
        var delivery = Assert.Single(await _service.Bus.FetchAsync(1, TimeSpan.Zero, JobService.Cancel));
        await _service.DeadLetters.PutAsync(delivery, "invalid_event", "line one\nline two \ud83d", JobService.Cancel);
        // The worker died before it terminated the message.
        await _service.DeadLetters.PutAsync(delivery, "invalid_event", "again", JobService.Cancel);
        await delivery.TermAsync("", JobService.Cancel);
        var letter = Assert.Single(await _service.DeadLetters.ListAsync(0, 10, JobService.Cancel));
        Assert.StartsWith("line one line two", letter.Header(DeadLetters.Reason), StringComparison.Ordinal);

        await _service.DeadLetters.RedriveAsync(letter.Sequence, JobService.Cancel);

        Assert.Empty(await _service.DeadLetters.ListAsync(0, 10, JobService.Cancel));
        var again = Assert.Single(await _service.Bus.FetchAsync(5, TimeSpan.Zero, JobService.Cancel)).Message;
        Assert.Equal(("agent.execute.mine", "not json"), (again.Subject, Encoding.UTF8.GetString(again.Body.Span)));
        Assert.Equal(
            ["Content-Type text/plain", "X-A 1", "X-A 2", $"{DeadLetters.Redriven} 1"],
            again.Headers.Select(header => $"{header.Key} {header.Value}")
        );
    }

    [Fact]
    public async Task Dead_letters_are_counted_by_reason_and_unknown_reasons_as_other()
    {
        await using var metrics = new MetricsProbe();
        await _service.Bus.PublishAsync([new BusMessage("agent.execute.mine", "not json"u8.ToArray())], JobService.Cancel);
        var delivery = Assert.Single(await _service.Bus.FetchAsync(1, TimeSpan.Zero, JobService.Cancel));

        await _service.DeadLetters.PutAsync(delivery, FaultCodes.StoreRefused, "", JobService.Cancel);
        await _service.DeadLetters.PutAsync(delivery, "made_up", "", JobService.Cancel);

        var lines = (await metrics.LinesAsync())
            .Where(line => line.StartsWith("agent_executor_dead_letters_total{", StringComparison.Ordinal))
            .ToList();
        Assert.DoesNotContain("""agent_executor_dead_letters_total{reason="store_refused"} 0""", lines);
        Assert.DoesNotContain("""agent_executor_dead_letters_total{reason="other"} 0""", lines);
        Assert.DoesNotContain(lines, line => line.Contains("made_up", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_unknown_number_is_a_fault()
    {
        foreach (
            var act in (Func<Task>[])
                [
                    async () => await _service.DeadLetters.FindAsync(7, JobService.Cancel),
                    async () => await _service.DeadLetters.RedriveAsync(7, JobService.Cancel),
                    async () => await _service.DeadLetters.DropAsync(7, JobService.Cancel),
                ]
        )
        {
            var fault = await Assert.ThrowsAsync<FaultException>(act);
            Assert.Equal(FaultCodes.UnknownMessage, fault.Code);
            Assert.Contains("dead-letters list", fault.Hint, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_failed_job_that_is_sent_again_starts_again_even_if_its_worker_is_lost_at_once(int delivery)
    {
        const string Job = """[{"when": {}, "error": {"class": "authentication", "message": "no key"}}]""";
        var worker = _service.StartWorker();
        await _service.SendAsync(JobService.Job("a", Job));
        await _service.HasSettledAsync(1);
        await _service.StopAsync(worker);
        Assert.Equal(RunStatus.Failed, await _service.StatusAsync("a"));
        await _service.Bus.PublishAsync(
            [
                new BusMessage("agent.execute.x", Encoding.UTF8.GetBytes(JobService.Job("a", Job)))
                {
                    Headers = [KeyValuePair.Create(DeadLetters.Redriven, "1")],
                },
            ],
            JobService.Cancel
        );
        for (var i = 1; i < delivery; i++)
        {
            await Assert
                .Single(await _service.Bus.FetchAsync(1, TimeSpan.Zero, JobService.Cancel))
                .NakAsync(TimeSpan.Zero, JobService.Cancel);
        }

        _service.StartWorker();
        await _service.HasResultsAsync(2);

        await _service.HasSettledAsync(2);
        Assert.Equal(["failed", "failed"], (await _service.ResultsAsync()).Select(it => it.Status)); // its key is still wrong
    }

    [Fact]
    public async Task A_redriven_job_that_has_failed_again_is_not_started_by_a_redelivery()
    {
        const string Job = """[{"when": {}, "error": {"class": "authentication", "message": "no key"}}]""";
        await _service.Bus.PublishAsync(
            [
                new BusMessage("agent.execute.x", Encoding.UTF8.GetBytes(JobService.Job("a", Job)))
                {
                    Headers = [KeyValuePair.Create(DeadLetters.Redriven, "1")],
                },
            ],
            JobService.Cancel
        );
        await Assert
            .Single(await _service.Bus.FetchAsync(1, TimeSpan.Zero, JobService.Cancel))
            .NakAsync(TimeSpan.FromSeconds(20), JobService.Cancel);
        _service.StartWorker();
        await _service.AdmitAsync(JobService.Job("a", Job)); // fails after the message was sent and before it is redelivered

        await _service.HasSettledAsync(1);

        Assert.Equal(1, (await _service.Store.FindAsync("a", JobService.Cancel))!.Attempt);
        Assert.Single(await _service.ResultsAsync());
    }

    /// <summary>The clocks of the bus and the worker differ, so the failed run appears to be newer or older than the message.</summary>
    [Theory]
    [InlineData(-60, "1", 2)]
    [InlineData(60, "0", 1)]
    public async Task Whether_a_redriven_job_starts_again_does_not_depend_on_clocks(int aheadSeconds, string failedAttempt, int attempts)
    {
        const string Job = """[{"when": {}, "error": {"class": "authentication", "message": "no key"}}]""";
        var worker = _service.StartWorker();
        await _service.SendAsync(JobService.Job("a", Job));
        await _service.HasSettledAsync(1);
        await _service.StopAsync(worker);
        var message = new BusMessage("agent.execute.x", Encoding.UTF8.GetBytes(JobService.Job("a", Job)))
        {
            Headers = [KeyValuePair.Create(DeadLetters.Redriven, "1"), KeyValuePair.Create(DeadLetters.FailedAttempt, failedAttempt)],
        };
        await _service.Bus.PublishAsync([message], JobService.Cancel);
        await Assert.Single(await _service.Bus.FetchAsync(1, TimeSpan.Zero, JobService.Cancel)).NakAsync(TimeSpan.Zero, JobService.Cancel);
        _service.Bus.Ahead = TimeSpan.FromSeconds(aheadSeconds);

        _service.StartWorker();
        await _service.HasSettledAsync(2);

        Assert.Equal(attempts, (await _service.ResultsAsync()).Count);
    }

    [Fact]
    public async Task The_dead_letter_of_a_job_that_lost_its_workers_keeps_the_failed_attempt_when_it_is_sent_again()
    {
        await _service.AdmitAsync(JobService.Job("a"));
        var claimed = Assert.Single(await _service.Queue.ClaimAsync(new Lease("w", TimeSpan.FromMinutes(5)), 1, JobService.Cancel));
        await _service.DeadLetters.PutAsync(claimed, FaultCodes.WorkerCrashed, "5 workers died", JobService.Cancel);

        await _service.DeadLetters.RedriveAsync(
            Assert.Single(await _service.DeadLetters.ListAsync(0, 10, JobService.Cancel)).Sequence,
            JobService.Cancel
        );

        var again = Assert.Single(await _service.Bus.FetchAsync(5, TimeSpan.Zero, JobService.Cancel)).Message;
        Assert.Equal(("1", "1"), (again.Header(DeadLetters.FailedAttempt), again.Header(DeadLetters.Redriven)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // a worker started it again and died: the message is redelivered while the run waits
    public async Task The_message_of_a_redriven_job_waits_for_the_outcome_of_the_new_attempt(bool isBegunAgain)
    {
        const string Job = """[{"when": {}, "error": {"class": "authentication", "message": "no key"}}]""";
        var worker = _service.StartWorker();
        await _service.SendAsync(JobService.Job("a", Job));
        await _service.HasSettledAsync(1);
        await _service.StopAsync(worker);
        await _service.Bus.PublishAsync(
            [
                new BusMessage("agent.execute.x", Encoding.UTF8.GetBytes(JobService.Job("a", Job)))
                {
                    Headers = [KeyValuePair.Create(DeadLetters.Redriven, "1")],
                },
            ],
            JobService.Cancel
        );
        if (isBegunAgain)
        {
            await Assert
                .Single(await _service.Bus.FetchAsync(1, TimeSpan.Zero, JobService.Cancel))
                .NakAsync(TimeSpan.Zero, JobService.Cancel);
            await _service.Control.RetryAsync((await _service.Store.FindAsync("a", JobService.Cancel))!, JobService.Cancel);
        }

        _service.StartWorker();
        await _service.HasSettledAsync(2);

        var lines = _service
            .Bus.Lines.Where(line =>
                line.StartsWith("ack", StringComparison.Ordinal) || line.StartsWith("published agent.status", StringComparison.Ordinal)
            )
            .Select(line => line.Split(' ')[0]);
        Assert.Equal(["published", "ack", "published", "ack"], lines);
    }
}
