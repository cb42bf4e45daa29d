using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using Xunit;

namespace AgentExecutor.Conformance.Queues;

/// <summary>The contract of <see cref="IOutbox"/>, which shares its runs with the queue.</summary>
public abstract partial class RunQueueContract
{
    [Fact]
    public async Task Outcomes_are_published_once_in_order_and_kept()
    {
        await EndNewAsync("a");
        await EndNewAsync("b", status: RunStatus.Failed);
        var announced = new List<string>();

        Assert.Equal(
            2,
            await Outbox.RelayAsync(
                10,
                (outcomes, _) =>
                {
                    announced.AddRange(
                        outcomes.Select(it => $"{it.Run.ThreadId} {it.Status} {Encoding.UTF8.GetString(it.Json.Span)} {it.TraceParent}")
                    );
                    Assert.All(outcomes, it => Assert.False(it.IsPublished));
                    return Task.CompletedTask;
                },
                Cancel
            )
        );

        Assert.Equal(["a Completed {} 00-a", "b Failed {} 00-b"], announced);
        Assert.Equal(0, await Outbox.RelayAsync(10, (_, _) => throw new InvalidOperationException("nothing is left"), Cancel));
        var found = await Outbox.FindAsync([new RunKey("b", "r"), new RunKey("a", "r"), new RunKey("nobody", "r")], Cancel);
        Assert.Equal(["a:77 True", "b:77 True"], found.Select(it => $"{it.Id[..it.Id.LastIndexOf(':')]} {it.IsPublished}").Order());
    }

    [Fact]
    public async Task Each_publication_of_an_outcome_has_the_same_id_and_a_new_thread_with_that_id_has_another()
    {
        var ids = new List<string>();
        for (var life = 0; life < 2; life++)
        {
            await EndNewAsync("t");
            await Assert.ThrowsAsync<InvalidOperationException>(async () =>
                await Outbox.RelayAsync(
                    10,
                    (outcomes, _) =>
                    {
                        ids.Add(outcomes[0].Id);
                        throw new InvalidOperationException("the bus is away");
                    },
                    Cancel
                )
            );
            await Outbox.RelayAsync(
                10,
                (outcomes, _) =>
                {
                    ids.Add(outcomes[0].Id);
                    return Task.CompletedTask;
                },
                Cancel
            );
            ids.Add(Assert.Single(await Outbox.FindAsync([new RunKey("t", "r")], Cancel)).Id);
            await Checkpoints.DeleteThreadAsync("t", Cancel);
        }

        Assert.Single(ids.Take(3).Distinct());
        Assert.Single(ids.Skip(3).Distinct());
        Assert.NotEqual(ids[0], ids[3]);
    }

    [Fact]
    public async Task The_status_and_the_newest_outcome_of_each_stored_run_are_returned()
    {
        await EndNewAsync("a");
        await Outbox.RelayAsync(10, (_, _) => Task.CompletedTask, Cancel);
        await EndNewAsync("b", status: RunStatus.Interrupted);
        await Queue.SubmitAsync([Submission("c")], null, Cancel);

        var statuses = await Outbox.FindStatusesAsync(
            [.. ((string[])["a", "b", "c", "nobody"]).Select(thread => new RunKey(thread, "r"))],
            Cancel
        );

        Assert.Equal(
            ["a Completed 77 True", "b Interrupted 77 False", "c Pending 0 False"],
            statuses.Select(it => $"{it.Run.ThreadId} {it.Status} {it.Outcome} {it.IsPublished}").Order()
        );
        Assert.Empty(await Outbox.FindStatusesAsync([], Cancel));
    }

    [Fact]
    public async Task A_failed_publication_is_repeated()
    {
        await EndNewAsync("a");
        await Assert.ThrowsAsync<InvalidOperationException>(async () =>
            await Outbox.RelayAsync(10, (_, _) => throw new InvalidOperationException("the bus is away"), Cancel)
        );
        Assert.False(Assert.Single(await Outbox.FindAsync([new RunKey("a", "r")], Cancel)).IsPublished);

        Assert.Equal(1, await Outbox.RelayAsync(10, (_, _) => Task.CompletedTask, Cancel));
    }

    [Fact]
    public async Task Concurrent_relays_publish_each_outcome_once()
    {
        for (var i = 0; i < 30; i++)
        {
            await EndNewAsync($"t{i}");
        }
        var announced = new System.Collections.Concurrent.ConcurrentBag<string>();

        await Task.WhenAll(
            Enumerable
                .Range(0, 3)
                .Select(_ =>
                    Task.Run(
                        async () =>
                        {
                            while (
                                await Outbox.RelayAsync(
                                    4,
                                    async (outcomes, cancel) =>
                                    {
                                        foreach (var outcome in outcomes)
                                        {
                                            announced.Add(outcome.Id);
                                        }
                                        await Task.Yield();
                                    },
                                    Cancel
                                ) > 0
                            ) { }
                        },
                        Cancel
                    )
                )
        );

        Assert.Equal(30, announced.Count);
        Assert.Equal(30, announced.Distinct().Count());
    }

    [Fact]
    public async Task Outcomes_are_deleted_only_after_they_were_published()
    {
        await EndNewAsync("a");
        await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Cancel);
        Assert.Equal(0, await Outbox.DropAsync(TimeSpan.Zero, 10, Cancel));
        await Outbox.RelayAsync(10, (_, _) => Task.CompletedTask, Cancel);

        Assert.Equal(0, await Outbox.DropAsync(TimeSpan.FromHours(1), 10, Cancel));
        Assert.Equal(1, await Outbox.DropAsync(TimeSpan.Zero, 10, Cancel));
        Assert.Empty(await Outbox.FindAsync([new RunKey("a", "r")], Cancel));
    }

    [Fact]
    public async Task A_thread_with_an_unpublished_outcome_is_not_deleted()
    {
        await EndNewAsync("a");
        Assert.Equal(
            FaultCodes.ThreadBusy,
            (await Assert.ThrowsAsync<FaultException>(async () => await Checkpoints.DeleteThreadAsync("a", Cancel))).Code
        );
        await Outbox.RelayAsync(10, (_, _) => Task.CompletedTask, Cancel);

        await Checkpoints.DeleteThreadAsync("a", Cancel);

        Assert.True((await Queue.SubmitAsync([Submission("a")], null, Cancel))[0].IsNew);
    }

    /// <summary>Submits a run, claims it and ends it with an outcome.</summary>
    private async Task EndNewAsync(string thread, RunStatus status = RunStatus.Completed)
    {
        var claimed = (await Queue.SubmitAsync([Submission(thread) with { TraceParent = $"00-{thread}" }], Long, Cancel))[0].Claimed!;
        var ended = claimed.Run with { Status = status, LastSequence = 77 };
        await Checkpoints.CommitAsync(Commit(ended, Long) with { Result = new StoredResult(77, "{}"u8.ToArray()) }, Cancel);
    }
}
