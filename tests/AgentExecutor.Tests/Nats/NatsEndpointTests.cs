using AgentExecutor.Adapters.Nats.Protocol;

namespace AgentExecutor.Tests.Nats;

public sealed class NatsEndpointTests
{
    [Fact]
    public void Reads_a_list_of_seeds()
    {
        var seeds = NatsEndpoint.ParseSeeds("nats://a, tls://user:p%40ss@b.example:5222 ,c:1,nats://[::1]:9");

        Assert.Equal(["a:4222", "b.example:5222", "c:1", "[::1]:9"], seeds.Select(it => it.ToString()));
        Assert.Equal([false, true, false, false], seeds.Select(it => it.IsTls));
        Assert.Equal("user:p%40ss", seeds[1].UserInfo.Value);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" , ")]
    [InlineData("nats://a,http://user:secret@b")]
    [InlineData("nats://user:secret@")]
    public void Refuses_what_is_no_url_without_repeating_it(string urls)
    {
        var fault = Assert.Throws<NatsException>(() => NatsEndpoint.ParseSeeds(urls));

        Assert.Equal(NatsFault.InvalidSettings, fault.Fault);
        Assert.DoesNotContain("secret", fault.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_server_that_another_told_of_is_as_safe_and_named_as_that_one()
    {
        var seed = NatsEndpoint.ParseSeeds("tls://user:secret@nats.example:4222")[0];
        var learnt = NatsEndpoint.ParseDiscovered("10.0.0.7:4333", seed)!;

        Assert.Equal((true, "nats.example", "10.0.0.7:4333"), (learnt.IsTls, learnt.TlsName, learnt.ToString()));
        Assert.Equal(seed.UserInfo, learnt.UserInfo);
        Assert.Equal("other.example", NatsEndpoint.ParseDiscovered("other.example:1", seed)!.TlsName);
    }

    [Theory]
    [InlineData("a b")]
    [InlineData("a\r\nPUB x 0")]
    [InlineData("")]
    [InlineData("a..b")]
    [InlineData(".a")]
    [InlineData("a.*")]
    public void Subjects_that_cannot_be_published_to_are_refused(string subject) =>
        Assert.Equal(NatsFault.InvalidArgument, Assert.Throws<NatsException>(() => NatsSubjects.CheckPublish(subject)).Fault);
}
