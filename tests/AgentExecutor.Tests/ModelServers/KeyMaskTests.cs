using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core;

namespace AgentExecutor.Tests.ModelServers;

public sealed class KeyMaskTests
{
    private readonly KeyMask _mask = new(new ModelServerSettings { OpenaiApiKey = new Secret("plain"), AnthropicApiKey = new Secret("plainer-key\n") });

    [Theory]
    [InlineData("plainer-key, Plain!", "***, ***!")]
    [InlineData("Authorization: Bearer abc.def-123 was sent", "Authorization: Bearer *** was sent")]
    [InlineData("""{"x-api-key": "abc"}""", """{"x-api-key": "***"}""")]
    [InlineData("Incorrect API key provided: sk-proj-ab*****yz. Look.", "Incorrect API key provided: ***. Look.")]
    [InlineData("a risk-free task", "a risk-free task")]
    public void Keys_are_taken_out(string text, string clean) => Assert.Equal(clean, _mask.Clean(text));

    [Fact]
    public void A_long_text_is_cut_and_no_key_is_cut_in_two()
    {
        var clean = _mask.Clean(new string('x', KeyMask.Longest - 3) + "plainer-key");

        Assert.Equal(new string('x', KeyMask.Longest - 3) + "***", clean);
        Assert.Equal(KeyMask.Longest + 3, _mask.Clean(new string('x', 5_000)).Length);
    }
}
