using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core;

namespace AgentExecutor.Tests.ModelServers;

public sealed class KeyMaskTests
{
    private readonly KeyMask _mask = new(
        new ModelServerSettings { OpenaiApiKey = new Secret("plain"), AnthropicApiKey = new Secret("plainer-key\n") }
    );

    [Theory]
    [InlineData("plainer-key, Plain!", "***, ***!")]
    [InlineData("Authorization: Bearer abc.def-123 was sent", "Authorization: Bearer *** was sent")]
    [InlineData("""{"x-api-key": "abc"}""", """{"x-api-key": "***"}""")]
    [InlineData("Incorrect API key provided: sk-proj-ab*****yz. Look.", "Incorrect API key provided: ***. Look.")]
    [InlineData("a risk-free task", "a risk-free task")]
    public void Keys_are_removed(string text, string clean) => Assert.Equal(clean, _mask.Clean(text));

    [Fact]
    public void A_long_text_is_cut_without_leaving_a_part_of_a_key()
    {
        var clean = _mask.Clean(new string('x', KeyMask.MaxLength - 3) + "plainer-key");

        Assert.Equal(new string('x', KeyMask.MaxLength - 3) + "***", clean);
        Assert.Equal(KeyMask.MaxLength + 3, _mask.Clean(new string('x', 5_000)).Length);
    }
}
