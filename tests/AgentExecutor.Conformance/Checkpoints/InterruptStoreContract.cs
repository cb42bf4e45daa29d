using System.Collections.Immutable;
using System.Text;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using Xunit;

namespace AgentExecutor.Conformance.Checkpoints;

/// <summary>The contract of <see cref="IInterruptStore"/>, and of the messages that leave with steps.</summary>
public abstract class InterruptStoreContract : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly Lease Lease = new("worker", TimeSpan.FromMinutes(5));

    protected IRunQueue Queue { get; private set; } = null!;

    protected IOutbox Outbox { get; private set; } = null!;

    protected ICheckpointStore Checkpoints { get; private set; } = null!;

    protected IInterruptStore Interrupts { get; private set; } = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Creates an empty store, and returns its interfaces.</summary>
    protected abstract ValueTask<(IRunQueue Queue, IOutbox Outbox, ICheckpointStore Checkpoints, IInterruptStore Interrupts)> MakeAsync();

    public async ValueTask InitializeAsync() => (Queue, Outbox, Checkpoints, Interrupts) = await MakeAsync();

    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_commit_stores_its_interrupts_and_a_repetition_changes_nothing()
    {
        var run = await RunningAsync("t");
        var asked = Asked("t", "1:0", dueIn: TimeSpan.FromDays(1));

        await CommitAsync(run, asked);
        await CommitAsync(run, asked with { Json = "{}"u8.ToArray() });

        var found = Assert.Single(await FindAsync("t", "1:0", "1:1"));
        Assert.Equal(("t", "t", "1:0", 0, false), (found.ThreadId, found.RunId, found.Id, found.Escalation, found.IsApplied));
        Assert.Equal("Deploy? \u0000", found.Request.Value.GetString());
        Assert.Null(found.Answer);
        Assert.InRange((found.DueAt!.Value - asked.DueAt!.Value).Duration(), TimeSpan.Zero, TimeSpan.FromMilliseconds(1));
        Assert.Empty(await FindAsync("other", "1:0"));
    }

    [Fact]
    public async Task The_first_answer_is_kept_and_makes_the_interrupt_due()
    {
        await CommitAsync(await RunningAsync("t"), Asked("t", "1:0"));

        var first = await RecordAsync("t", "1:0", "\"yes\"");
        var second = await RecordAsync("t", "1:0", "\"no\"");

        Assert.Equal(["\"yes\"", "\"yes\""], new[] { first, second }.Select(TextOf));
        Assert.Equal(["1:0"], await TakeAsync(TimeSpan.FromDays(1)));
        Assert.Empty(await TakeAsync(TimeSpan.FromDays(1)));
    }

    [Fact]
    public async Task Concurrent_answers_agree_on_one_of_them()
    {
        await CommitAsync(await RunningAsync("t"), Asked("t", "1:0"));

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => RecordAsync("t", "1:0", $"{i}")));

        Assert.Single(answers.Select(TextOf).Distinct());
    }

    [Fact]
    public async Task An_answer_to_an_interrupt_that_is_not_stored_is_stored_with_it()
    {
        await RunningAsync("t");

        await RecordAsync("t", "1:0", "\"yes\"");

        Assert.Equal("\"yes\"", TextOf(Assert.Single(await FindAsync("t", "1:0"))));
    }

    [Fact]
    public async Task A_commit_that_passes_an_answer_ends_the_interrupt_and_keeps_an_earlier_answer()
    {
        var run = await RunningAsync("t");
        await CommitAsync(run, Asked("t", "1:0", TimeSpan.Zero), Asked("t", "1:1", TimeSpan.Zero));
        await RecordAsync("t", "1:0", "\"yes\"");

        await Checkpoints.CommitAsync(
            Step(run) with
            {
                Answers = [new StoredAnswer("1:0", "\"no\""u8.ToArray()), new StoredAnswer("1:1", "\"maybe\""u8.ToArray())],
            },
            Cancel
        );

        var found = await FindAsync("t", "1:0", "1:1");
        Assert.Equal(["\"yes\"", "\"maybe\""], found.OrderBy(it => it.Id).Select(TextOf));
        Assert.All(found, it => Assert.True(it is { IsApplied: true, DueAt: null }));
        Assert.Empty(await TakeAsync(TimeSpan.Zero));
    }

    [Fact]
    public async Task Only_due_interrupts_are_taken_longest_due_first_and_each_by_one_process()
    {
        var run = await RunningAsync("t");
        await CommitAsync(
            run,
            Asked("t", "1:late", TimeSpan.FromDays(1)),
            Asked("t", "1:b", -TimeSpan.FromMinutes(1)),
            Asked("t", "1:a", -TimeSpan.FromMinutes(2)),
            Asked("t", "1:never")
        );

        Assert.Equal(["1:a"], await TakeAsync(TimeSpan.FromDays(1), atMost: 1));
        var taken = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => TakeAsync(TimeSpan.FromDays(1))));

        Assert.Equal(["1:b"], taken.SelectMany(it => it));
    }

    [Fact]
    public async Task An_interrupt_that_was_taken_is_due_again_after_the_hold_unless_it_is_closed()
    {
        await CommitAsync(await RunningAsync("t"), Asked("t", "1:0", TimeSpan.Zero), Asked("t", "1:1", TimeSpan.Zero));

        Assert.Equal(["1:0", "1:1"], (await TakeAsync(TimeSpan.Zero)).Order());
        await Interrupts.CloseAsync(await FindAsync("t", "1:1"), Cancel);

        Assert.Equal(["1:0"], await EventuallyAsync(() => TakeAsync(TimeSpan.FromDays(1)), it => it.Count > 0));
    }

    [Fact]
    public async Task An_escalation_is_stored_once_and_not_after_an_answer()
    {
        await CommitAsync(await RunningAsync("t"), Asked("t", "1:0", TimeSpan.Zero));
        var next = Assert.Single(await FindAsync("t", "1:0")) with { Escalation = 1, DueAt = null };

        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Interrupts.EscalateAsync(next, Notice("e1"), Cancel).AsTask()));

        Assert.Single(results, it => it);
        Assert.Equal(1, Assert.Single(await FindAsync("t", "1:0")).Escalation);
        await RecordAsync("t", "1:0", "1");
        Assert.False(await Interrupts.EscalateAsync(next with { Escalation = 2 }, Notice("e2"), Cancel));
        Assert.Equal(["e1"], (await RelayAsync()).Select(it => it.Id));
    }

    [Fact]
    public async Task Messages_of_a_commit_are_relayed_until_they_are_published()
    {
        var run = await RunningAsync("t", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        await Checkpoints.CommitAsync(Step(run) with { Notices = [Notice("n1"), Notice("n2")] }, Cancel);
        await Checkpoints.CommitAsync(Step(run) with { Notices = [Notice("n1")] }, Cancel);

        await Assert.ThrowsAsync<InvalidOperationException>(async () =>
            await Outbox.RelayNoticesAsync(10, (_, _) => throw new InvalidOperationException(), Cancel)
        );
        var relayed = await RelayAsync();

        Assert.Equal(["n1", "n2"], relayed.Select(it => it.Id).Order());
        var one = relayed.Single(it => it.Id == "n1");
        Assert.Equal(new RunKey("t", "t"), one.Run);
        Assert.Equal(("type", "agent.tool.requests.pay", "{\"a\":1}"), (one.Type, one.Subject, Encoding.UTF8.GetString(one.Json.Span)));
        Assert.StartsWith("00-0af7651916cd43dd8448eb211c80319c", one.TraceParent, StringComparison.Ordinal);
        Assert.Empty(await RelayAsync());
    }

    [Fact]
    public async Task A_deleted_thread_leaves_no_interrupts()
    {
        var run = await RunningAsync("t");
        await CommitAsync(run, Asked("t", "1:0", TimeSpan.Zero));
        await Checkpoints.CommitAsync(Step(run) with { Run = run with { Status = RunStatus.Cancelled } }, Cancel);

        await Checkpoints.DeleteThreadAsync("t", Cancel);

        Assert.Empty(await FindAsync("t", "1:0"));
        Assert.Empty(await TakeAsync(TimeSpan.Zero));
    }

    [Fact]
    public async Task A_run_that_waits_for_a_tool_is_not_claimed_until_it_is_returned_to_the_queue()
    {
        var run = await RunningAsync("t");
        await Checkpoints.CommitAsync(Step(run) with { Run = run with { Status = RunStatus.Waiting } }, Cancel);

        Assert.Empty(await Queue.ClaimAsync(Lease, 10, Cancel));
        Assert.Equal(RunStatus.Waiting, (await Queue.FindAsync("t", "t", Cancel))!.Status);
    }

    private static StoredInterrupt Asked(string thread, string id, TimeSpan? dueIn = null)
    {
        var question = new InterruptRequest(id, System.Text.Json.JsonElement.Parse("\"Deploy? \\u0000\""));
        return StoredInterrupt.Of(thread, thread, question) with
        {
            DueAt = dueIn is { } time ? TimeProvider.System.GetUtcNow() + time : null,
        };
    }

    private static StoredNotice Notice(string id) => new(id, "type", "agent.tool.requests.pay", "{\"a\":1}"u8.ToArray()) { RunId = "t" };

    private async Task<Run> RunningAsync(string id, string traceParent = "")
    {
        var now = TimeProvider.System.GetUtcNow();
        var definition = new StoredDefinition("hash", "{}"u8.ToArray());
        var run = new Run
        {
            ThreadId = id,
            RunId = id,
            DefinitionHash = "hash",
            CreatedAt = now,
            UpdatedAt = now,
        };
        await Queue.SubmitAsync([new RunSubmission(run, definition, "{}"u8.ToArray()) { TraceParent = traceParent }], null, Cancel);
        return Assert.Single(await Queue.ClaimAsync(Lease, 10, Cancel)).Run;
    }

    private static StepCommit Step(Run run) =>
        new()
        {
            ThreadId = run.ThreadId,
            Fence = run.Fence,
            Run = run,
            Lease = Lease,
        };

    private async Task CommitAsync(Run run, params ImmutableArray<StoredInterrupt> asked) =>
        await Checkpoints.CommitAsync(Step(run) with { Interrupts = asked }, Cancel);

    private async Task<ImmutableArray<StoredInterrupt>> FindAsync(string thread, params ImmutableArray<string> ids) =>
        await Interrupts.FindAsync(thread, ids, Cancel);

    private async Task<StoredInterrupt> RecordAsync(string thread, string id, string answer) =>
        Assert.Single(await Interrupts.RecordAsync([Asked(thread, id) with { Answer = Encoding.UTF8.GetBytes(answer) }], Cancel));

    private async Task<List<string>> TakeAsync(TimeSpan hold, int atMost = 10) =>
        [.. (await Interrupts.TakeDueAsync(atMost, hold, Cancel)).Select(it => it.Id)];

    private async Task<List<Notice>> RelayAsync()
    {
        var relayed = new List<Notice>();
        await Outbox.RelayNoticesAsync(
            10,
            (notices, _) =>
            {
                relayed.AddRange(notices);
                return Task.CompletedTask;
            },
            Cancel
        );
        return relayed;
    }

    private static string TextOf(StoredInterrupt it) => Encoding.UTF8.GetString(it.Answer!.Value.Span);

    private static async Task<T> EventuallyAsync<T>(Func<Task<T>> read, Predicate<T> isDone)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var value = await read();
            if (isDone(value) || TimeProvider.System.GetElapsedTime(started) > Limit)
            {
                return value;
            }
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Cancel);
        }
    }
}
