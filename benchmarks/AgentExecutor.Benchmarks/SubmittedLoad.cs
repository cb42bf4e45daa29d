using System.Globalization;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Benchmarks;

/// <summary>Submits the runs, and claims those that workers hold.</summary>
internal sealed class SubmittedLoad(BenchStore store) : QueueLoad
{
    private const int Page = 1_000;

    private readonly Dictionary<string, ClaimedRun> _held = new(StringComparer.Ordinal);

    private IRunQueue Queue => store.Queue!;

    public override async Task FillKeysAsync(int keys)
    {
        await SubmitAsync(keys, i => Submission(Name("held-", i), "r") with { ConcurrencyKey = Name("key-", i) });
        while (_held.Count < keys)
        {
            foreach (var claimed in await Queue.ClaimAsync(Lease, Page, CancellationToken.None))
            {
                _held[claimed.Run.ThreadId] = claimed;
            }
        }
        await SubmitAsync(keys, i => Submission(Name("full-", i), "r") with { ConcurrencyKey = Name("key-", i) });
        await ((IBacklog)Queue).MeasureAsync(CancellationToken.None); // considers all of them, as successive claims would
    }

    public override async Task FreeAsync(int key)
    {
        var run = _held[Name("held-", key)].Run;
        var ended = new StepCommit
        {
            ThreadId = run.ThreadId,
            Fence = run.Fence,
            Run = run with { Status = RunStatus.Completed },
            Lease = Lease,
        };
        await store.Checkpoints.CommitAsync(ended, CancellationToken.None);
    }

    public override async Task FillThreadAsync(int runs)
    {
        await SubmitAsync(1, _ => Submission("long", "first"));
        await Queue.ClaimAsync(Lease, 1, CancellationToken.None);
        await SubmitAsync(runs, i => Submission("long", Name("r", i)));
    }

    public override Task FillAsync(int runs) => SubmitAsync(runs, i => Submission(Name("m", i), "r"));

    private async Task SubmitAsync(int count, Func<int, RunSubmission> make)
    {
        foreach (var page in Enumerable.Range(0, count).Chunk(Page))
        {
            await Queue.SubmitAsync([.. page.Select(make)], null, CancellationToken.None);
        }
    }

    private static string Name(string prefix, int number) => string.Create(CultureInfo.InvariantCulture, $"{prefix}{number}");
}
