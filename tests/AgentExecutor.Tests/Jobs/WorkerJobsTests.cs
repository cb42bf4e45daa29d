using System.Collections.Immutable;
using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Tests.Jobs;

/// <summary>A real worker receives messages and publishes results.</summary>
public sealed class WorkerJobsTests : IAsyncDisposable
{
    private readonly JobService _service = new();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task A_job_has_one_result_and_is_acknowledged_only_after_the_result_is_stored()
    {
        _service.StartWorker();
        _service.StartWorker();
        await _service.SendAsync(
            JobService.Job("a"),
            JobService.Job("b"),
            JobService.Job("c", """[{"error": {"class": "authentication", "message": "no key"}}]""")
        );

        await _service.HasSettledAsync(3);

        Assert.Equal(
            ["a completed", "b completed", "c failed"],
            (await _service.ResultsAsync()).Select(it => $"{it.Job} {it.Status}").Order()
        );
        var lines = _service
            .Bus.Lines.Where(line =>
                line.StartsWith("ack", StringComparison.Ordinal) || line.StartsWith("published agent.status", StringComparison.Ordinal)
            )
            .ToList();
        Assert.Equal(6, lines.Count);
        foreach (var message in await _service.ReadAsync(BusStream.Jobs))
        {
            var job = System.Text.Json.JsonElement.Parse(message.Body.Span).TextProperty("job_id");
            var acknowledged = lines.IndexOf($"ack {message.Sequence}");
            var published = lines.FindIndex(line => line.Contains($" {job}:", StringComparison.Ordinal));
            Assert.True(published >= 0 && published < acknowledged, string.Join('\n', lines));
        }
    }

    [Fact]
    public async Task A_result_continues_the_trace_of_its_job()
    {
        _service.StartWorker();
        await _service.SendAsync(JobService.Job("a"));

        await _service.HasResultsAsync(1);

        var message = Assert.Single(await _service.ReadAsync(BusStream.Results));
        var result = System.Text.Json.JsonElement.Parse(message.Body.Span);
        Assert.Equal(
            ("a", "agent-executor-service", "dev.my-platform.agent.completed"),
            (result.TextProperty("subject"), result.TextProperty("source"), result.TextProperty("type"))
        );
        Assert.Equal(TraceParent.Derive("trace-a", "a")[..35], result.TextProperty("traceparent")![..35]);
        Assert.Equal(message.Id, result.TextProperty("id"));
        Assert.Equal("done", result.GetProperty("data").GetProperty("result").TextProperty("output"));
    }

    [Fact]
    public async Task An_unreadable_message_is_moved_to_the_dead_letters_unchanged_with_the_reason()
    {
        _service.StartWorker();
        await _service.Bus.PublishAsync(
            [
                new BusMessage("agent.execute.half", Encoding.UTF8.GetBytes("""{"job_id": "half"}"""))
                {
                    Headers = [KeyValuePair.Create("X-Sender", "me"), KeyValuePair.Create("Dead-Letter-Code", "forged")],
                },
                new BusMessage("agent.execute.none", default),
            ],
            JobService.Cancel
        );
        await _service.SendAsync(JobService.Job("fine"));

        await _service.HasSettledAsync(3);

        var letters = await _service.ReadAsync(BusStream.DeadLetters);
        Assert.Equal(["agent.dead-letter.half", "agent.dead-letter.none"], letters.Select(letter => letter.Subject));
        Assert.Equal("""{"job_id": "half"}""", Encoding.UTF8.GetString(letters[0].Body.Span));
        Assert.Equal(
            ("me", "invalid_event", "agent.execute.half", "1", "1"),
            (
                letters[0].Header("X-Sender"),
                letters[0].Header(DeadLetters.Code),
                letters[0].Header(DeadLetters.Subject),
                letters[0].Header(DeadLetters.Sequence),
                letters[0].Header(DeadLetters.Attempts)
            )
        );
        Assert.Contains("agent_definition", letters[0].Header(DeadLetters.Reason), StringComparison.Ordinal);
        Assert.Single(letters[0].Headers, header => header.Key == DeadLetters.Code);
        Assert.True(DateTimeOffset.TryParse(letters[0].Header(DeadLetters.Time), System.Globalization.CultureInfo.InvariantCulture, out _));
        Assert.Equal("fine", Assert.Single(await _service.ResultsAsync()).Job);
        Assert.Equal(2, _service.Bus.Lines.Count(line => line.StartsWith("term", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_message_is_moved_to_the_dead_letters_even_with_invalid_headers_or_too_little_space()
    {
        _service.Bus.MaxMessageBytes = 2_000;
        _service.Bus.BeforePublish = messages =>
            Assert.All(
                messages.Where(it => it.Subject.StartsWith(BusSubjects.DeadLetters, StringComparison.Ordinal)).SelectMany(it => it.Headers),
                header =>
                {
                    Assert.DoesNotContain(header.Key, static it => char.IsWhiteSpace(it));
                    Assert.DoesNotContain(header.Value, static it => it is '\r' or '\n');
                }
            );
        await _service.Bus.PublishAsync(
            [
                new BusMessage("agent.execute.a", "no json"u8.ToArray())
                {
                    Headers =
                    [
                        KeyValuePair.Create("two words", "x"),
                        KeyValuePair.Create("", "x"),
                        KeyValuePair.Create("lines", "x\ry"),
                        KeyValuePair.Create("kept", "x"),
                    ],
                },
                new BusMessage("agent.execute.b", new byte[1_900]) { Headers = [KeyValuePair.Create("kept", "x")] },
                new BusMessage("agent.execute.c", "no json"u8.ToArray()) { Headers = [KeyValuePair.Create("big", new string('x', 1_900))] },
            ],
            JobService.Cancel
        );
        await _service.SendAsync(JobService.Job("fine"));
        _service.StartWorker();

        await _service.HasSettledAsync(4);

        var letters = await _service.ReadAsync(BusStream.DeadLetters);
        Assert.Equal(
            ["a kept 7", "b kept 0", "c  0"],
            letters.Select(letter =>
            {
                var own = letter.Headers.Select(it => it.Key).Where(name => !name.StartsWith("Dead", StringComparison.Ordinal));
                return $"{letter.Subject[^1]} {string.Join(' ', own)} {letter.Body.Length}";
            })
        );
        Assert.All(letters, letter => Assert.Equal("invalid_event", letter.Header(DeadLetters.Code)));
        Assert.Equal("fine", Assert.Single(await _service.ResultsAsync()).Job);
    }

    [Theory]
    [InlineData("agent.execute.a", "agent.dead-letter.a")]
    [InlineData("agent.execute.a>b", "agent.dead-letter.unnamed")]
    [InlineData("agent.execute.\u0001", "agent.dead-letter.unnamed")]
    [InlineData("agent.execute.", "agent.dead-letter.unnamed")]
    public void A_dead_letter_is_published_to_a_valid_subject(string subject, string expected)
    {
        Assert.Equal(expected, BusSubjects.DeadLetterOf(subject));
        Assert.Equal(BusStream.DeadLetters, BusSubjects.StreamOf(expected));
    }

    [Fact]
    public async Task A_message_that_was_delivered_too_often_is_moved_to_the_dead_letters()
    {
        _service.Settings = _service.Settings with { MaxDeliveries = 2 };
        await _service.SendAsync(JobService.Job("a"));
        for (var i = 0; i < 2; i++)
        {
            await Assert
                .Single(await _service.Bus.FetchAsync(1, TimeSpan.FromMinutes(1), JobService.Cancel))
                .NakAsync(TimeSpan.Zero, JobService.Cancel);
        }
        _service.StartWorker();

        await _service.HasSettledAsync(1);

        var letter = Assert.Single(await _service.ReadAsync(BusStream.DeadLetters));
        Assert.Equal((FaultCodes.DeliveredTooOften, "3"), (letter.Header(DeadLetters.Code), letter.Header(DeadLetters.Attempts)));
        Assert.Null(await _service.StatusAsync("a"));
    }

    [Fact]
    public async Task A_repeated_job_runs_once_and_a_different_job_with_its_id_is_moved_to_the_dead_letters()
    {
        _service.StartWorker();
        await _service.SendAsync(JobService.Job("a"), JobService.Job("a") + " ");
        await _service.HasSettledAsync(2);
        await _service.SendAsync(" " + JobService.Job("a"), JobService.Job("a", """[{"text": "something else"}]"""));

        await _service.HasSettledAsync(4);

        Assert.Equal("done", Assert.Single(await _service.ResultsAsync()).Data.GetProperty("result").TextProperty("output"));
        var letter = Assert.Single(await _service.ReadAsync(BusStream.DeadLetters));
        Assert.Equal(FaultCodes.JobConflict, letter.Header(DeadLetters.Code));
        Assert.Contains("something else", Encoding.UTF8.GetString(letter.Body.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_job_that_the_store_rejects_is_moved_to_the_dead_letters_and_the_others_run()
    {
        _service.Queue = new RefusingQueue(_service.Queue, "bad");
        await _service.SendAsync(JobService.Job("a"), JobService.Job("bad"), JobService.Job("c"));
        _service.StartWorker();

        await _service.HasSettledAsync(3);

        Assert.Equal(["a", "c"], (await _service.ResultsAsync()).Select(it => it.Job).Order());
        Assert.Equal(FaultCodes.StoreRefused, Assert.Single(await _service.ReadAsync(BusStream.DeadLetters)).Header(DeadLetters.Code));
        Assert.DoesNotContain(_service.Bus.Lines, line => line.StartsWith("nak", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Jobs_wait_while_the_store_is_unavailable()
    {
        var queue = new RefusingQueue(_service.Queue, "") { IsAway = true };
        _service.Queue = queue;
        await _service.SendAsync(JobService.Job("a"), JobService.Job("b"));
        _service.StartWorker();
        var until = _service.Time.GetUtcNow().AddSeconds(60);
        await Eventually.True(() => Task.FromResult(_service.Time.GetUtcNow() > until));

        queue.IsAway = false; // the delays grow, so the deliveries of the messages are not used up

        await _service.HasSettledAsync(2);
        Assert.Equal(["a", "b"], (await _service.ResultsAsync()).Select(it => it.Job).Order());
        Assert.Empty(await _service.ReadAsync(BusStream.DeadLetters));
    }

    [Fact]
    public async Task A_worker_that_shuts_down_returns_its_messages_and_runs()
    {
        var first = _service.StartWorker();
        const string Slow = """[{"tool_calls": [{"name": "ls", "args": {}}]}, {"text": "done", "delay_ms": 1000}]""";
        await _service.SendAsync(JobService.Job("a", Slow), JobService.Job("b", Slow));
        await Eventually.True(async () =>
            (await _service.Store.FindAsync("a", JobService.Cancel))?.Usage.ToolCalls == 1
            && (await _service.Store.FindAsync("b", JobService.Cancel))?.Usage.ToolCalls == 1
        );

        await _service.StopAsync(first);

        Assert.Equal(["nak 1", "nak 2"], _service.Bus.Lines.Where(line => line.StartsWith("nak", StringComparison.Ordinal)).Order());
        Assert.Equal((RunStatus.Pending, RunStatus.Pending), (await _service.StatusAsync("a"), await _service.StatusAsync("b")));
        Assert.Empty(await _service.ResultsAsync());
        _service.StartWorker();
        await _service.HasSettledAsync(2);
        Assert.Equal(["a", "b"], (await _service.ResultsAsync()).Select(it => it.Job).Order());
        var run = (await _service.Store.FindAsync("a", JobService.Cancel))!;
        Assert.Equal((2, 2, 1), (run.Attempt, run.Usage.ModelCalls, run.Usage.ToolCalls));
    }

    [Fact]
    public async Task A_worker_that_shuts_down_publishes_the_outcomes_of_ended_runs()
    {
        var isAway = true;
        _service.Bus.BeforePublish = messages =>
        {
            if (isAway && messages.Any(it => it.Subject.StartsWith(BusSubjects.Results, StringComparison.Ordinal)))
            {
                throw RecordingBus.Away;
            }
        };
        var worker = _service.StartWorker();
        await _service.SendAsync(JobService.Job("a"));
        await _service.HasStatusAsync("a", RunStatus.Completed);

        isAway = false;
        await _service.StopAsync(worker);

        Assert.Equal("a", Assert.Single(await _service.ResultsAsync()).Job);
        Assert.Single(_service.Bus.Lines, "ack 1");
    }

    [Fact]
    public async Task A_message_is_renewed_while_its_job_runs()
    {
        _service.StartWorker();
        await _service.SendAsync(JobService.Job("a", """[{"text": "done", "delay_ms": 3000}]"""));

        // Longer than the ack wait of the bus.
        await Eventually.True(() => Task.FromResult(_service.Bus.Lines.Count(line => line == "progress 1") >= 4));
        Assert.Empty(await _service.Bus.FetchAsync(1, TimeSpan.Zero, JobService.Cancel));
        await _service.HasSettledAsync(1);

        Assert.Equal(1, (await _service.Store.FindAsync("a", JobService.Cancel))!.Attempt);
        Assert.Single(await _service.ResultsAsync());
    }

    /// <summary>Rejects a job permanently, or is unavailable.</summary>
    private sealed class RefusingQueue(IRunQueue inner, string refused) : IRunQueue
    {
        public bool IsAway { get; set; }

        public ValueTask<ImmutableArray<SubmittedRun>> SubmitAsync(
            ImmutableArray<RunSubmission> submissions,
            Lease? claimLease,
            CancellationToken cancellationToken
        ) =>
            IsAway ? throw new FaultException(FaultCodes.StoreUnavailable, "away") { IsTransient = true }
            : submissions.Any(it => it.Run.RunId == refused)
                ? throw new FaultException(FaultCodes.StoreRefused, "it has a character that cannot be stored")
            : inner.SubmitAsync(submissions, claimLease, cancellationToken);

        public ValueTask<ImmutableArray<ClaimedRun>> ClaimAsync(Lease lease, int atMost, CancellationToken cancellationToken) =>
            inner.ClaimAsync(lease, atMost, cancellationToken);

        public ValueTask<ImmutableHashSet<HeldRun>> RenewAsync(
            Lease lease,
            ImmutableArray<HeldRun> held,
            CancellationToken cancellationToken
        ) => inner.RenewAsync(lease, held, cancellationToken);

        public ValueTask<ImmutableArray<RescuedRun>> RescueAsync(
            ImmutableArray<HeldRun> held,
            TimeSpan afterStart,
            CancellationToken cancellationToken
        ) => inner.RescueAsync(held, afterStart, cancellationToken);

        public ValueTask UncountCrashAsync(ImmutableArray<HeldRun> lost, CancellationToken cancellationToken) =>
            inner.UncountCrashAsync(lost, cancellationToken);

        public ValueTask<Run?> FindAsync(string threadId, string runId, CancellationToken cancellationToken) =>
            inner.FindAsync(threadId, runId, cancellationToken);

        public ValueTask<bool> RequestCancelAsync(string threadId, string runId, CancellationToken cancellationToken) =>
            inner.RequestCancelAsync(threadId, runId, cancellationToken);

        public ValueTask<ImmutableArray<HeldRun>> FindCancelRequestsAsync(Lease lease, CancellationToken cancellationToken) =>
            inner.FindCancelRequestsAsync(lease, cancellationToken);

        public Task WaitAsync(CancellationToken cancellationToken) => inner.WaitAsync(cancellationToken);
    }
}
