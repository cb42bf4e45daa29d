using AgentExecutor.Adapters.Nats.Protocol;

namespace AgentExecutor.Tests.Nats;

public sealed class JetStreamMetadataTests
{
    private static readonly JetStreamMetadata Expected = new(
        "ORDERS", "workers", 2, 17, 21, new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero).AddTicks(1234567), 5);

    [Theory]
    [InlineData("$JS.ACK.ORDERS.workers.2.17.21.1767323045123456789.5")]
    [InlineData("$JS.ACK._.ACCOUNT.ORDERS.workers.2.17.21.1767323045123456789.5")]
    [InlineData("$JS.ACK.hub.ACCOUNT.ORDERS.workers.2.17.21.1767323045123456789.5.random")]
    [InlineData("$JS.ACK.hub.ACCOUNT.ORDERS.workers.2.17.21.1767323045123456789.5.random.more")]
    public void Reads_both_forms(string subject) => Assert.Equal(Expected, JetStreamMetadata.Parse(subject));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("_INBOX.abc.1")]
    [InlineData("$JS.ACK.ORDERS.workers.2.17.21.1767323045123456789")]
    [InlineData("$JS.ACK.ORDERS.workers.2.17.21.1767323045123456789.5.6")]
    [InlineData("$JS.ACK.ORDERS.workers.x.17.21.1767323045123456789.5")]
    [InlineData("$JS.ACK.ORDERS.workers.2.-17.21.1767323045123456789.5")]
    public void Is_null_for_anything_else(string? subject) => Assert.Null(JetStreamMetadata.Parse(subject));
}
