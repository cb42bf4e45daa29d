using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Tests.Messaging;

public sealed class TraceParentTests
{
    private const string Valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    [Theory]
    [InlineData(Valid, Valid)]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")]
    [InlineData("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Valid)]
    [InlineData("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-brings", Valid)]
    public void A_valid_trace_context_is_kept(string sent, string expected) => Assert.Equal(expected, TraceParent.Of(sent, "t", "j"));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more")]
    [InlineData("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    [InlineData("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more")]
    [InlineData("00-00000000000000000000000000000000-b7ad6b7169203331-01")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01")]
    [InlineData("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333x-01")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x")]
    [InlineData("00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    public void An_invalid_trace_context_is_replaced_by_one_derived_from_the_ids(string? sent) =>
        Assert.Equal(TraceParent.Derive("t", "j"), TraceParent.Of(sent, "t", "j"));

    [Theory]
    [InlineData("0AF76519-16cd-43dd-8448-eb211c80319c", "0af7651916cd43dd8448eb211c80319c")]
    [InlineData("0af7651916cd43dd8448eb211c80319c", "0af7651916cd43dd8448eb211c80319c")]
    [InlineData("00000000-0000-0000-0000-000000000000", "12b9377cbe7e5c94e8a70d9d23929523")]
    [InlineData("abc", "ba7816bf8f01cfea414140de5dae2223")]
    [InlineData("0af7651916cd43dd8448eb211c80319c0", null)]
    [InlineData("0\u0130f7651916cd43dd8448eb211c80319c", null)]
    public void The_trace_id_is_the_digits_of_a_UUID_or_else_a_hash(string traceId, string? expected)
    {
        var derived = TraceParent.Derive(traceId, "abc");

        Assert.Matches("^00-[0-9a-f]{32}-ba7816bf8f01cfea-01$", derived);
        Assert.True(TraceParent.TryRead(derived, out _));
        if (expected is not null)
        {
            Assert.Equal(expected, derived[3..35]);
        }
    }

    [Fact]
    public void Each_job_of_a_trace_has_a_different_span() => Assert.NotEqual(TraceParent.Derive("t", "a"), TraceParent.Derive("t", "b"));
}
