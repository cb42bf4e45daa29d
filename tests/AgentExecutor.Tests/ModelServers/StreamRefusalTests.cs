using AgentExecutor.Adapters.ModelServers;

namespace AgentExecutor.Tests.ModelServers;

/// <summary>The demands of a server are remembered by the process, so an outage must not be mistaken for a demand.</summary>
public sealed class StreamRefusalTests
{
    [Theory]
    [InlineData("streaming is not supported", true)]
    [InlineData("This model does not support streaming.", true)]
    [InlineData("stream must be set to false", true)]
    [InlineData("Unknown parameter: 'stream'", true)]
    [InlineData("unexpected keyword argument 'stream'", true)]
    [InlineData("The upstream server is currently not available", false)]
    [InlineData("upstream provider disabled", false)]
    [InlineData("no healthy upstream", false)]
    [InlineData("no data was read from the stream", false)]
    [InlineData("unexpected end of stream", false)]
    [InlineData("stream_options is not supported", false)]
    public void Only_a_refusal_of_streams_counts_as_such(string message, bool isRefusal) =>
        Assert.Equal(isRefusal, DemandReader.RefusesStreams(new ServerError(500, "", message)));
}
