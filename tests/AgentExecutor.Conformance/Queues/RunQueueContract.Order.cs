using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using Xunit;

namespace AgentExecutor.Conformance.Queues;

/// <summary>Which runs a claim takes, and which ones wait for a key, a thread, a delay or a person.</summary>
public abstract partial class RunQueueContract
{
    [Fact]
    public async Task A_more_urgent_run_of_a_key_is_claimed_before_one_that_has_waited_longer()
    {
        await SubmitAsync("a", key: "k", priority: 7);
        await SubmitAsync("b", key: "k", priority: 3);
        await SubmitAsync("c", key: "k", priority: 5);

        var first = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal("b", first.Run.ThreadId);
        await SubmitAsync("d", key: "k", priority: 0);
        await EndAsync(first, Long, RunStatus.Completed);

        Assert.Equal(["d"], await ClaimIdsAsync(10));
    }

    [Fact]
    public async Task A_run_of_a_full_key_delays_only_its_own_thread()
    {
        await SubmitAsync("busy", key: "k");
        await ClaimIdsAsync(10);
        await SubmitAsync("t", "r1", key: "k");
        await SubmitAsync("t", "r2");
        await SubmitAsync("other");

        Assert.Equal(["other"], await ClaimIdsAsync(10));
    }

    [Fact]
    public async Task A_run_that_waits_for_its_thread_does_not_occupy_its_key()
    {
        await SubmitAsync("t", "r1");
        var first = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        await SubmitAsync("t", "r2", key: "k", priority: 0);
        await SubmitAsync("other", key: "k", priority: 9);

        var other = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal("other", other.Run.ThreadId);
        await EndAsync(first, Long, RunStatus.Completed);
        Assert.Empty(await ClaimIdsAsync(10));
        await EndAsync(other, Long, RunStatus.Completed);
        Assert.Equal(["t"], await ClaimIdsAsync(10));
    }

    [Fact]
    public async Task A_run_that_is_not_due_does_not_occupy_its_key()
    {
        await SubmitAsync("later", key: "k", priority: 0, delay: TimeSpan.FromMilliseconds(200));
        await SubmitAsync("now", key: "k", priority: 9);

        var now = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal("now", now.Run.ThreadId);
        await Task.Delay(TimeSpan.FromMilliseconds(250), TimeProvider.System, Cancel);
        Assert.Empty(await ClaimIdsAsync(10));
        await EndAsync(now, Long, RunStatus.Completed);
        Assert.Equal(["later"], await ClaimIdsAsync(10));
    }

    [Fact]
    public async Task A_run_that_is_returned_rescued_or_interrupted_releases_its_key()
    {
        await SubmitAsync("a", key: "k", priority: 9);
        var first = Assert.Single(await Queue.ClaimAsync(Short, 10, Cancel));
        await SubmitAsync("b", key: "k", priority: 1);
        await EventuallyAsync(async () => await Queue.RescueAsync([], TimeSpan.Zero, Cancel), runs => runs.Length > 0);

        var second = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal("b", second.Run.ThreadId);
        await EndAsync(second, Long, RunStatus.Pending);
        var third = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal("b", third.Run.ThreadId);
        await EndAsync(third, Long, RunStatus.Interrupted);
        var again = Assert.Single(await Queue.ClaimAsync(Long, 10, Cancel));
        Assert.Equal(("a", first.Run.Attempt + 1), (again.Run.ThreadId, again.Run.Attempt));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_claim_always_takes_the_most_urgent_ready_runs(int seed)
    {
        var model = new QueueModel();
        var random = new Random(seed);
        for (var step = 0; step < 150; step++)
        {
            switch (random.Next(10))
            {
                case < 5:
                    var (thread, key) = ($"t{random.Next(12)}", random.Next(3) > 0 ? $"k{random.Next(3)}" : null);
                    var waiting = new QueueModel.Waiting(thread, $"r{step}", random.Next(10), step, key);
                    await SubmitAsync(thread, waiting.RunId, priority: waiting.Priority, key: key, limit: QueueModel.LimitOf(key));
                    model.Runs.Add(waiting);
                    break;
                case < 8:
                    var atMost = random.Next(1, 5);
                    var expected = model.Claim(atMost);
                    var claimed = await Queue.ClaimAsync(Long, atMost, Cancel);
                    Assert.True(
                        expected.Select(it => it.RunId).SequenceEqual(claimed.Select(it => it.Run.RunId)),
                        $"seed {seed}, step {step}"
                    );
                    model.Hold(claimed);
                    break;
                default:
                    if (model.Held.Count > 0)
                    {
                        var (run, origin) = model.Held[random.Next(model.Held.Count)];
                        var status = (RunStatus[])[RunStatus.Completed, RunStatus.Failed, RunStatus.Interrupted, RunStatus.Pending];
                        var end = status[random.Next(status.Length)];
                        await EndAsync(run, Long, end);
                        model.Release(run, origin, end);
                    }
                    break;
            }
        }
    }

    /// <summary>The simplest implementation of the rules, which reads all waiting runs.</summary>
    private sealed class QueueModel
    {
        public List<Waiting> Runs { get; } = [];

        public List<(ClaimedRun Run, Waiting Origin)> Held { get; } = [];

        private List<Waiting> Taken { get; } = [];

        public static int LimitOf(string? key) =>
            key switch
            {
                "k0" => 1,
                "k1" => 2,
                _ => 3,
            };

        public List<Waiting> Claim(int atMost)
        {
            var free = Runs.GroupBy(run => run.ThreadId)
                .Where(runs => Taken.TrueForAll(it => it.ThreadId != runs.Key))
                .Select(runs => runs.MinBy(run => run.Since)!);
            var mayRun = free.GroupBy(run => run.Key)
                .SelectMany(runs =>
                    runs.Key is null
                        ? runs
                        : runs.OrderBy(run => (run.Priority, run.Since)).Take(LimitOf(runs.Key) - Taken.Count(it => it.Key == runs.Key))
                );
            var claimed = mayRun.OrderBy(run => (run.Priority, run.Since)).Take(atMost).ToList();
            Runs.RemoveAll(claimed.Contains);
            Taken.AddRange(claimed);
            return claimed;
        }

        public void Hold(IEnumerable<ClaimedRun> claimed) =>
            Held.AddRange(claimed.Select(run => (run, Taken.Single(it => it.RunId == run.Run.RunId))));

        public void Release(ClaimedRun run, Waiting origin, RunStatus status)
        {
            Held.Remove((run, origin));
            Taken.Remove(origin);
            if (status == RunStatus.Pending)
            {
                Runs.Add(origin);
            }
        }

        public sealed record Waiting(string ThreadId, string RunId, int Priority, int Since, string? Key);
    }
}
