using AgentExecutor.Core.Workers;

namespace AgentExecutor.Tests.Workers;

public sealed class PlaceTests : IDisposable
{
    private readonly FakeTime _time = new();
    private readonly List<bool> _told = [];
    private readonly Place _place;

    public PlaceTests() => _place = new Place(_told.Add, _time);

    public void Dispose() => _place.Dispose();

    [Fact]
    public void What_waits_for_a_moment_keeps_its_place()
    {
        for (var i = 0; i < 3; i++)
        {
            _place.Wait(begins: true);
            _time.Advance(TimeSpan.FromMilliseconds(49));
            _place.Wait(begins: false);
        }
        _time.Advance(TimeSpan.FromMinutes(1));

        Assert.Empty(_told);
    }

    [Fact]
    public void What_waits_longer_gives_it_away_until_it_goes_on()
    {
        _place.Wait(begins: true);
        _time.Advance(Place.Moment);
        Assert.Equal([true], _told);

        _place.Wait(begins: false);
        Assert.Equal([true, false], _told);
    }

    [Fact]
    public void What_ends_while_it_waits_leaves_nothing_behind()
    {
        _place.Wait(begins: true);
        _time.Advance(Place.Moment);

        _place.Dispose();
        _time.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal([true, false], _told);
    }
}
