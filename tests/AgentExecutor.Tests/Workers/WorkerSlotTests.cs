using AgentExecutor.Core.Workers;

namespace AgentExecutor.Tests.Workers;

public sealed class WorkerSlotTests : IDisposable
{
    private readonly FakeTime _time = new();
    private readonly List<bool> _changes = [];
    private readonly WorkerSlot _slot;

    public WorkerSlotTests() => _slot = new WorkerSlot(_changes.Add, _time);

    public void Dispose() => _slot.Dispose();

    [Fact]
    public void A_run_that_waits_briefly_keeps_its_slot()
    {
        for (var i = 0; i < 3; i++)
        {
            _slot.SetWaiting(true);
            _time.Advance(TimeSpan.FromMilliseconds(49));
            _slot.SetWaiting(false);
        }
        _time.Advance(TimeSpan.FromMinutes(1));

        Assert.Empty(_changes);
    }

    [Fact]
    public void A_run_that_waits_longer_releases_its_slot_until_it_continues()
    {
        _slot.SetWaiting(true);
        _time.Advance(WorkerSlot.ReleaseDelay);
        Assert.Equal([true], _changes);

        _slot.SetWaiting(false);
        Assert.Equal([true, false], _changes);
    }

    [Fact]
    public void A_run_that_ends_while_it_waits_reclaims_its_slot()
    {
        _slot.SetWaiting(true);
        _time.Advance(WorkerSlot.ReleaseDelay);

        _slot.Dispose();
        _time.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal([true, false], _changes);
    }
}
