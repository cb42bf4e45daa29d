using System.Diagnostics;
using System.Globalization;
using AgentExecutor.Core.Queues;
using Xunit;

namespace AgentExecutor.Conformance.Queues;

/// <summary>
/// The cost of a claim does not depend on the number of waiting runs. Each test measures the fastest of several claims with few waiting
/// runs and with forty times as many. A proportional cost would be forty times as high; a cost five times as high fails the test.
/// </summary>
public abstract partial class RunQueueContract
{
    private const int Little = 100;
    private const int Much = 4_000;
    private const int Page = 500;
    private const int MeasuredClaims = 15;
    private const double Ratio = 5;

    private static readonly TimeSpan Noise = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestMeasurement = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task The_cost_of_a_claim_does_not_depend_on_the_number_of_full_concurrency_keys()
    {
        await FillKeysAsync(0, Little);
        var little = await MeasureClaimsAsync();
        await FillKeysAsync(Little, Much);

        await AssertIsConstantAsync(little);
    }

    [Fact]
    public async Task The_cost_of_a_claim_does_not_depend_on_the_number_of_runs_that_wait_for_one_thread()
    {
        await SubmitAsync("long", "first", priority: 0);
        Assert.Equal(["long"], await ClaimIdsAsync(1));
        await SubmitAllAsync(0, Little, i => Submission("long", Name("r", i)));
        var little = await MeasureClaimsAsync();
        await SubmitAllAsync(Little, Much, i => Submission("long", Name("r", i)));

        await AssertIsConstantAsync(little);
    }

    [Fact]
    public async Task The_cost_of_a_claim_does_not_depend_on_the_number_of_ready_or_delayed_runs()
    {
        await FillAsync(0, Little);
        var little = await MeasureClaimsAsync();
        await FillAsync(Little, Much);

        await AssertIsConstantAsync(little);

        async Task FillAsync(int from, int to)
        {
            await SubmitAllAsync(from, to, i => Submission(Name("ready", i)));
            await SubmitAllAsync(from, to, i => Submission(Name("delayed", i)) with { Delay = TimeSpan.FromDays(1), Priority = 0 });
        }
    }

    /// <summary>A worker holds a run of each of these keys, and another run of each key waits.</summary>
    private async Task FillKeysAsync(int from, int to)
    {
        for (var round = 0; round < 2; round++)
        {
            await SubmitAllAsync(from, to, i => Submission(Name($"keyed{round}-", i)) with { ConcurrencyKey = Name("k", i) });
            await Backlog.MeasureAsync(Cancel); // a claim may consider only some of the new runs, but this call considers all of them
            var claimed = 0;
            var last = -1;
            while (last != claimed)
            {
                (last, claimed) = (claimed, claimed + (await Queue.ClaimAsync(Long, Page, Cancel)).Length);
            }
            Assert.Equal(round == 0 ? to - from : 0, claimed);
        }
    }

    private async Task SubmitAllAsync(int from, int to, Func<int, RunSubmission> make)
    {
        foreach (var page in Enumerable.Range(from, to - from).Chunk(Page))
        {
            await Queue.SubmitAsync([.. page.Select(make)], null, Cancel);
        }
    }

    private async Task<TimeSpan> MeasureClaimsAsync()
    {
        var times = new List<TimeSpan>();
        for (var i = 0; i < MeasuredClaims; i++)
        {
            var watch = Stopwatch.StartNew();
            await Queue.ClaimAsync(Long, 2, Cancel);
            times.Add(watch.Elapsed);
        }
        return times.Min(); // other programs on the machine can only make a claim slower
    }

    /// <summary>
    /// Other programs may slow all claims of one measurement, so it is repeated. A claim that really is slow stays slow each time.
    /// </summary>
    private async Task AssertIsConstantAsync(TimeSpan little)
    {
        var watch = Stopwatch.StartNew();
        var much = await MeasureClaimsAsync();
        while (much >= (little * Ratio) + Noise && watch.Elapsed < LongestMeasurement)
        {
            await Task.Delay(100, Cancel);
            much = await MeasureClaimsAsync();
        }
        Assert.True(
            much < (little * Ratio) + Noise,
            $"a claim took {little.TotalMilliseconds:0.00} ms with few waiting runs, "
                + $"and {much.TotalMilliseconds:0.00} ms with forty times as many"
        );
    }

    private static string Name(string prefix, int number) => string.Create(CultureInfo.InvariantCulture, $"{prefix}{number}");
}
