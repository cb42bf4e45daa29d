using AgentExecutor.Core;
using AgentExecutor.Core.Recording;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Tests.Recording;

public sealed class RedactionTests
{
    [Theory]
    [InlineData("sk-12345678", "a sk-12345678b", "a ***b")]
    [InlineData("abc", "abc abcd xabc (abc) abc", "*** abcd xabc (***) ***")]
    [InlineData("p@ss word!", "q=p%40ss%20word%21&x", "q=***&x")]
    [InlineData("postgresql://app:s3cr3t-pw@db/x", "the password s3cr3t-pw of app", "the password *** of app")]
    [InlineData("Host=db;Username=app;Password=s3cr3t-pw;Pooling=true", "s3cr3t-pw app", "*** app")]
    [InlineData("nats://a-long-token-of-nats@host:4222", "token a-long-token-of-nats", "token ***")]
    [InlineData("nats://bob@host:4222", "bob says nats://bob@other", "bob says nats://***@other")]
    [InlineData("", "nothing is secret", "nothing is secret")]
    [InlineData("none", "https://x.example/a@b and mail@y.example", "https://x.example/a@b and mail@y.example")]
    public void Secrets_are_removed_from_texts(string secret, string text, string expected)
    {
        var redaction = new Redaction([secret]);

        Assert.Equal(expected, redaction.Clean(text));
        Assert.Equal(expected, redaction.Clean(redaction.Clean(text)));
    }

    [Theory]
    [InlineData("see https://x.example/a?page=2&api_key=abc123&sort=up#top", "see https://x.example/a?page=2&api_key=***&sort=up#top")]
    [InlineData("https://b.example/f?X-Amz-Date=1&X-Amz-Signature=0a9f", "https://b.example/f?X-Amz-Date=1&X-Amz-Signature=***")]
    [InlineData("is a?token=x a URL", "is a?token=x a URL")]
    public void Credentials_in_the_query_of_a_URL_are_removed(string text, string clean)
    {
        Assert.Equal(clean, new Redaction([]).Clean(text));
        Assert.Equal(clean, new Redaction([]).Clean(clean));
    }

    [Fact]
    public void A_secret_that_contains_another_one_is_removed_completely() =>
        Assert.Equal("***", new Redaction(["12345678", "12345678-90"]).Clean("12345678-90"));

    [Fact]
    public void Every_secret_of_the_settings_is_redacted()
    {
        var variables = SettingsReader
            .Leaves(typeof(ServerSettings), "")
            .Where(leaf => leaf.Property.PropertyType == typeof(Secret))
            .Select((leaf, i) => (leaf.Name, Value: $"secret-number-{i}"))
            .ToList();

        var known = SettingsReader.SecretsOf(
            new SettingsBinder(variables.ToDictionary(it => it.Name, it => it.Value), []).Bind(new ServerSettings(), "")
        );

        Assert.NotEmpty(variables);
        Assert.Equal(variables.Select(it => it.Value).Order(StringComparer.Ordinal), known.Order(StringComparer.Ordinal));
    }
}
