using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Tests.Workers;

/// <summary>The clock of the machine is set while a service without servers runs, or between two starts of it.</summary>
public sealed class ClockStepTests : IAsyncDisposable
{
    private static readonly Lease Own = new("worker", TimeSpan.FromMilliseconds(300));

    private readonly TempDirectory _directory = new();
    private readonly SteppedTime _time = new();
    private readonly List<IAsyncDisposable> _open = [];
    private IRunQueue _queue = null!;
    private IEventBus _bus = null!;

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        _directory.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Setting_the_clock_back_does_not_delay_runs_leases_or_messages(bool isSqlite)
    {
        Open(isSqlite);
        await SubmitAsync("held");
        Assert.Single(await _queue.ClaimAsync(Own, 10, Cancel));
        await SubmitAsync("waits");
        await _bus.PublishAsync([new BusMessage("agent.execute.test", "x"u8.ToArray())], Cancel);

        _time.Step(-TimeSpan.FromHours(1));

        Assert.Equal("waits", Assert.Single(await _queue.ClaimAsync(Own, 10, Cancel)).Run.ThreadId);
        Assert.Single(await _bus.FetchAsync(10, TimeSpan.Zero, Cancel));
        await HasRescuedAsync(2);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Setting_the_clock_forward_does_not_end_the_leases_of_a_live_process(bool isSqlite)
    {
        Open(isSqlite);
        await SubmitAsync("held");
        var claimed = Assert.Single(await _queue.ClaimAsync(Own, 10, Cancel));
        var held = new HeldRun("held", claimed.Run.Fence);

        _time.Step(TimeSpan.FromHours(1));

        Assert.Empty(await _queue.RescueAsync([held], TimeSpan.Zero, Cancel));
        Assert.Contains(held, await _queue.RenewAsync(Own, [held], Cancel));
    }

    [Fact]
    public async Task Setting_the_clock_back_between_two_starts_delays_nothing()
    {
        Open(isSqlite: true);
        await SubmitAsync("held");
        Assert.Single(await _queue.ClaimAsync(Own, 10, Cancel));
        await SubmitAsync("waits");
        await _bus.PublishAsync([new BusMessage("agent.execute.test", "x"u8.ToArray())], Cancel);
        await CloseAsync();

        _time.Step(-TimeSpan.FromHours(10));
        Open(isSqlite: true);

        await Eventually.True(async () => (await _queue.ClaimAsync(Own, 10, Cancel)).Any(it => it.Run.ThreadId == "waits"));
        Assert.Single(await _bus.FetchAsync(10, TimeSpan.FromSeconds(5), Cancel));
        await HasRescuedAsync(2);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private void Open(bool isSqlite)
    {
        var bus = new BusSettings();
        if (isSqlite)
        {
            var store = AdapterCatalog.OpenSqliteService(
                new SqliteSettings { Directory = _directory.Path, SyncEveryCommit = false },
                _time
            );
            (_queue, _bus) = (store.Queue!, AdapterCatalog.OpenSqliteBus(store, bus));
            _open.Add(store);
        }
        else
        {
            (_queue, _bus) = (new InMemoryRunQueue(new InMemoryCheckpointStore(_time), _time), new InMemoryEventBus(bus, _time));
        }
    }

    private async Task CloseAsync()
    {
        foreach (var store in _open)
        {
            await store.DisposeAsync();
        }
        _open.Clear();
    }

    private async Task SubmitAsync(string thread)
    {
        var run = new Run
        {
            ThreadId = thread,
            RunId = "r",
            DefinitionHash = "h",
            CreatedAt = _time.GetUtcNow(),
            UpdatedAt = _time.GetUtcNow(),
        };
        await _queue.SubmitAsync([new RunSubmission(run, new StoredDefinition("h", "{}"u8.ToArray()), "{}"u8.ToArray())], null, Cancel);
    }

    private async Task HasRescuedAsync(int count)
    {
        var rescued = 0;
        await Eventually.True(async () => (rescued += (await _queue.RescueAsync([], TimeSpan.Zero, Cancel)).Length) >= count);
    }
}
