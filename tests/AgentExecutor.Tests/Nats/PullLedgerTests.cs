using AgentExecutor.Adapters.Nats.Protocol;

namespace AgentExecutor.Tests.Nats;

public sealed class PullLedgerTests
{
    private static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch;
    private static readonly TimeSpan Expires = TimeSpan.FromSeconds(10);
    private readonly PullLedger _ledger = new();

    [Fact]
    public void Counts_what_was_asked_for_and_has_not_come()
    {
        Ask(1, 3);
        Ask(2, 2);
        _ledger.Delivered();

        Assert.Equal(4, _ledger.Outstanding);
    }

    [Fact]
    public void Takes_a_request_off_that_ended()
    {
        Ask(1, 3);
        Ask(2, 2);
        _ledger.Ended(1, null);

        Assert.Equal(2, _ledger.Outstanding);
    }

    [Theory]
    [InlineData(3, 1)]
    [InlineData(1, 3)]
    [InlineData(2, 2)]
    public void The_servers_count_puts_the_sum_right(int leftOfFirst, int leftOfSecond)
    {
        Ask(1, 3);
        Ask(2, 3);
        _ledger.Delivered(); // the server may have answered either
        _ledger.Delivered();

        _ledger.Ended(1, leftOfFirst);
        Assert.Equal(leftOfSecond, _ledger.Outstanding);
        _ledger.Ended(2, leftOfSecond);
        Assert.Equal(0, _ledger.Outstanding);
    }

    [Fact]
    public void A_request_that_was_booked_as_done_may_still_end_with_something_left()
    {
        Ask(1, 1);
        Ask(2, 1);
        _ledger.Delivered(); // of the second, in truth
        _ledger.Ended(1, 1);

        Assert.Equal(0, _ledger.Outstanding);
    }

    [Fact]
    public void More_than_was_asked_for_does_no_harm()
    {
        Ask(1, 1);
        _ledger.Delivered();
        _ledger.Delivered();

        Assert.Equal(0, _ledger.Outstanding);
    }

    [Fact]
    public void Forgets_what_the_server_should_have_ended()
    {
        Ask(1, 3);

        Assert.NotNull(_ledger.Lapse(Start + Expires));
        Assert.Null(_ledger.Lapse(Start + Expires + TimeSpan.FromSeconds(3)));
        Assert.Equal(0, _ledger.Outstanding);
    }

    [Fact]
    public void Forgets_what_the_server_fell_silent_on()
    {
        var heartbeat = TimeSpan.FromSeconds(1);
        _ledger.Asked(1, 3, Start, Expires, heartbeat);
        _ledger.Heard(Start + heartbeat);

        Assert.Equal(Start + (heartbeat * 3), _ledger.Lapse(Start + (heartbeat * 2)));
        Assert.False(_ledger.FellSilent);
        Assert.Null(_ledger.Lapse(Start + (heartbeat * 3)));
        Assert.True(_ledger.FellSilent);
    }

    private void Ask(long id, int batch) => _ledger.Asked(id, batch, Start, Expires, TimeSpan.Zero);
}
