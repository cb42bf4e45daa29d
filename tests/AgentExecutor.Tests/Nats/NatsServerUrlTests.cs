using AgentExecutor.Adapters.Nats;

namespace AgentExecutor.Tests.Nats;

public sealed class NatsServerUrlTests
{
    [Fact]
    public void A_list_of_seed_servers_is_read()
    {
        var seeds = NatsServerUrl.ParseAll("nats://a, tls://user:p%40ss@b.example:5222 ,c:1,nats://[::1]:9");

        Assert.Equal(["a:4222", "b.example:5222", "c:1", "[::1]:9"], seeds.Select(it => it.ToString()));
        Assert.Equal([false, true, false, false], seeds.Select(it => it.IsTls));
        Assert.Equal("user:p%40ss", seeds[1].UserInfo.Value);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" , ")]
    [InlineData("nats://a,http://user:secret@b")]
    [InlineData("nats://user:secret@")]
    public void An_invalid_URL_is_rejected_without_repeating_it(string urls)
    {
        var fault = Assert.Throws<FormatException>(() => NatsServerUrl.ParseAll(urls));

        Assert.DoesNotContain("secret", fault.ToString(), StringComparison.Ordinal);
    }
}
