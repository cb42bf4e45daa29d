using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;
using Xunit;

namespace AgentExecutor.Conformance.Workers;

/// <summary>The contract of <see cref="IOutbox"/>, which shares its runs with the queue.</summary>
public abstract partial class RunQueueContract
{
    [Fact]
    public async Task Outcomes_are_announced_once_in_order_and_kept()
    {
        await EndNewAsync("a");
        await EndNewAsync("b", status: RunStatus.Failed);
        var announced = new List<string>();

        Assert.Equal(2, await Outbox.RelayAsync(10, (outcomes, _) =>
        {
            announced.AddRange(outcomes.Select(it => $"{it.Run.ThreadId} {it.Status} {Encoding.UTF8.GetString(it.Json.Span)} {it.TraceParent}"));
            Assert.All(outcomes, it => Assert.False(it.IsAnnounced));
            return Task.CompletedTask;
        }, Cancel));

        Assert.Equal(["a Completed {} 00-a", "b Failed {} 00-b"], announced);
        Assert.Equal(0, await Outbox.RelayAsync(10, (_, _) => throw new InvalidOperationException("nothing is left"), Cancel));
        var found = await Outbox.FindAsync([new RunKey("b", "r"), new RunKey("a", "r"), new RunKey("nobody", "r")], Cancel);
        Assert.Equal(["a:77 True", "b:77 True"], found.Select(it => $"{it.Id} {it.IsAnnounced}").Order());
    }

    [Fact]
    public async Task An_announcement_that_fails_is_made_again()
    {
        await EndNewAsync("a");
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await Outbox.RelayAsync(10, (_, _) => throw new InvalidOperationException("the bus is away"), Cancel));
        Assert.False(Assert.Single(await Outbox.FindAsync([new RunKey("a", "r")], Cancel)).IsAnnounced);

        Assert.Equal(1, await Outbox.RelayAsync(10, (_, _) => Task.CompletedTask, Cancel));
    }

    [Fact]
    public async Task Relays_at_once_announce_each_outcome_once()
    {
        for (var i = 0; i < 30; i++)
        {
            await EndNewAsync($"t{i}");
        }
        var announced = new System.Collections.Concurrent.ConcurrentBag<string>();

        await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(async () =>
        {
            while (await Outbox.RelayAsync(4, async (outcomes, cancel) =>
            {
                foreach (var outcome in outcomes)
                {
                    announced.Add(outcome.Id);
                }
                await Task.Yield();
            }, Cancel) > 0)
            {
            }
        }, Cancel)));

        Assert.Equal(30, announced.Count);
        Assert.Equal(30, announced.Distinct().Count());
    }

    [Fact]
    public async Task Outcomes_are_dropped_only_once_they_were_announced()
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
    public async Task A_thread_whose_outcome_was_not_announced_is_not_deleted()
    {
        await EndNewAsync("a");
        Assert.Equal(FaultCodes.ThreadBusy, (await Assert.ThrowsAsync<FaultException>(async () => await Checkpoints.DeleteThreadAsync("a", Cancel))).Code);
        await Outbox.RelayAsync(10, (_, _) => Task.CompletedTask, Cancel);

        await Checkpoints.DeleteThreadAsync("a", Cancel);

        Assert.True((await Queue.SubmitAsync([Submission("a")], null, Cancel))[0].IsNew);
    }

    /// <summary>A new run that is taken and ended, with an outcome.</summary>
    private async Task EndNewAsync(string thread, RunStatus status = RunStatus.Completed)
    {
        var claimed = (await Queue.SubmitAsync([Submission(thread) with { TraceParent = $"00-{thread}" }], Long, Cancel))[0].Claimed!;
        var ended = claimed.Run with { Status = status, LastSequence = 77 };
        await Checkpoints.CommitAsync(Commit(ended, Long) with { Result = new StoredResult(77, "{}"u8.ToArray()) }, Cancel);
    }
}
