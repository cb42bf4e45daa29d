using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Nats;
using AgentExecutor.Core;
using NATS.NKeys;

namespace AgentExecutor.Tests.Nats;

public sealed class NatsSettingsCheckTests
{
    [Fact]
    public void The_seed_of_a_user_is_accepted() => Assert.Empty(FaultsOf(Seed(PrefixByte.User)));

    [Fact]
    public void The_seed_of_an_account_is_rejected() => Assert.Equal(["NKEY_SEED"], FaultsOf(Seed(PrefixByte.Account)));

    [Fact]
    public void A_seed_with_a_wrong_letter_is_rejected()
    {
        var seed = Seed(PrefixByte.User);

        Assert.Equal(["NKEY_SEED"], FaultsOf(seed[..20] + (seed[20] == 'A' ? 'B' : 'A') + seed[21..]));
    }

    [Theory]
    [InlineData("SUAAAA")]
    [InlineData("S")]
    [InlineData("not a seed")]
    public void Other_text_is_rejected_without_repeating_it(string text)
    {
        var fault = Assert.Single(AdapterCatalog.Check(new NatsSettings { NkeySeed = new Secret(text) }));

        Assert.Equal("NKEY_SEED", fault.Setting);
        Assert.DoesNotContain(text.Length > 1 ? text : "\0", fault.Message, StringComparison.Ordinal);
    }

    private static string Seed(PrefixByte kind)
    {
        using var key = KeyPair.CreatePair(kind);
        return key.GetSeed();
    }

    private static IEnumerable<string> FaultsOf(string seed) =>
        AdapterCatalog.Check(new NatsSettings { NkeySeed = new Secret(seed) }).Select(static fault => fault.Setting);
}
