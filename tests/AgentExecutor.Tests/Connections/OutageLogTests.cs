using AgentExecutor.Adapters.Connections;

namespace AgentExecutor.Tests.Connections;

public sealed class OutageLogTests
{
    [Fact]
    public void An_outage_is_logged_once_and_ends_when_all_connections_are_restored()
    {
        var said = new List<string>();
        var log = new OutageLog(TimeProvider.System, said.Add, seconds => said.Add($"back after {seconds}"));
        var (one, other) = (new object(), new object());

        log.Succeeded(one);
        log.Failed(one, "gone.");
        log.Failed(other, "gone too");
        log.Failed(one, "still gone");
        log.Succeeded(one);
        log.Succeeded(one);
        Assert.Equal(["gone"], said);

        log.Succeeded(other);
        log.Failed(other, "again");
        Assert.Equal(["gone", "back after 0", "again"], said);
    }
}
