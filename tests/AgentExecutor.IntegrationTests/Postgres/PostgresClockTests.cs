using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Postgres;

/// <summary>The clocks of a worker and the database differ, or the clock of the database is changed.</summary>
public sealed class PostgresClockTests(PostgresFixture postgres)
{
    private static readonly Lease Long = new("worker", TimeSpan.FromMinutes(5));
    private static readonly Lease Short = new("worker", TimeSpan.FromMilliseconds(1));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(-120)]
    [InlineData(-1)]
    [InlineData(1)]
    [InlineData(120)]
    public async Task A_worker_with_a_wrong_clock_loses_no_lease_and_delays_nothing(int minutes)
    {
        var settings = await postgres.SchemaAsync();
        await using var right = await PostgresFixture.OpenAsync(settings);
        await using var wrong = await AdapterCatalog.OpenPostgresAsync(
            settings,
            new ShiftedTime(minutes),
            NullLoggerFactory.Instance,
            Cancel
        );
        await wrong.Queue!.SubmitAsync(
            [DeletionBlocker.Submission("by-wrong"), DeletionBlocker.Submission("later") with { Delay = TimeSpan.FromHours(1) }],
            null,
            Cancel
        );
        await right.Queue!.SubmitAsync([DeletionBlocker.Submission("by-right")], null, Cancel);

        var claimed = await wrong.Queue.ClaimAsync(Long, 1, Cancel);
        var other = await right.Queue.ClaimAsync(Long with { Holder = "other" }, 10, Cancel);

        Assert.Equal(["by-right", "by-wrong"], claimed.Concat(other).Select(it => it.Run.ThreadId).Order());
        Assert.Empty(await right.Queue.RescueAsync([], TimeSpan.Zero, Cancel));
        Assert.Empty(await wrong.Queue.RescueAsync([], TimeSpan.Zero, Cancel));
        var held = new HeldRun(claimed[0].Run.ThreadId, claimed[0].Run.Fence);
        Assert.Equal([held], await wrong.Queue.RenewAsync(Long, [held], Cancel));
        Assert.Empty(await right.Queue.RescueAsync([], TimeSpan.Zero, Cancel));
        Assert.Equal([held], await wrong.Queue.RenewAsync(Short, [held], Cancel));
        var rescued = await EventuallyRescuedAsync(wrong.Queue);
        Assert.Equal(held.ThreadId, rescued.ThreadId);
        Assert.Equal(held.ThreadId, Assert.Single(await wrong.Queue.ClaimAsync(Long, 10, Cancel)).Run.ThreadId);
    }

    [Fact]
    public async Task A_lease_is_shortened_to_its_length_after_the_database_clock_was_set_back()
    {
        var settings = await postgres.SchemaAsync();
        await using var store = await PostgresFixture.OpenAsync(settings);
        var server = await postgres.ServerAsync();
        await store.Queue!.SubmitAsync([DeletionBlocker.Submission("far"), DeletionBlocker.Submission("near")], null, Cancel);
        Assert.Equal(2, (await store.Queue.ClaimAsync(Long, 10, Cancel)).Length);
        await server.ExecuteAsync($"UPDATE {settings.Schema}.threads SET lease_until = now() + interval '2 hours' WHERE thread_id = 'far'");

        Assert.Empty(await store.Queue.RescueAsync([], TimeSpan.FromMilliseconds(10), Cancel));

        Assert.Equal("far", (await EventuallyRescuedAsync(store.Queue)).ThreadId);
        Assert.Equal("far", Assert.Single(await store.Queue.ClaimAsync(Long, 10, Cancel)).Run.ThreadId);
    }

    [Fact]
    public void Holders_have_the_length_of_a_lease_to_renew_after_the_database_clock_was_set_forward()
    {
        var lease = TimeSpan.FromSeconds(30);
        var start = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        var clock = new ServerClock(TimeProvider.System);

        clock.Record(start, clock.Window(lease).UpTo, lease);
        Assert.Equal(DateTime.MinValue, clock.Window(lease).From);
        Assert.InRange(clock.Window(lease).UpTo, start + lease, start + lease + TimeSpan.FromSeconds(20));

        clock.Record(start.AddHours(1), clock.Window(lease).UpTo, lease);
        Assert.Equal(start.AddHours(1) + lease, clock.Window(lease).From);

        clock.Record(start.AddHours(1).AddSeconds(10), clock.Window(lease).UpTo, lease);
        Assert.Equal(start.AddHours(1) + lease, clock.Window(lease).From);

        // Set back: without a correction, leases would end only when the clock reaches that time again.
        clock.Record(start, clock.Window(lease).UpTo, lease);
        Assert.Equal(DateTime.MinValue, clock.Window(lease).From);
    }

    private static async Task<RescuedRun> EventuallyRescuedAsync(IRunQueue queue)
    {
        var rescued = default(RescuedRun);
        await Wait.UntilAsync(async () => (rescued = (await queue.RescueAsync([], TimeSpan.Zero, Cancel)).FirstOrDefault()) is not null);
        return rescued!;
    }

    private sealed class ShiftedTime(int minutes) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddMinutes(minutes);
    }
}
