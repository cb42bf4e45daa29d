using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Redis;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.Tests.Redis;

public sealed class RedisEndpointTests
{
    [Theory]
    [InlineData("redis://a", "a:6379", false, "", "", 0)]
    [InlineData("a:1", "a:1", false, "", "", 0)]
    [InlineData(" redis://a.example:7000/3 ", "a.example:7000", false, "", "", 3)]
    [InlineData("rediss://u:p%40s%2Fs%3A%20x@a/", "a:6379", true, "u", "p@s/s: x", 0)]
    [InlineData("redis://:pass@[::1]:9/12", "[::1]:9", false, "", "pass", 12)]
    [InlineData("redis://user@redis_server", "redis_server:6379", false, "user", "", 0)]
    public void A_URL_is_read(string url, string printed, bool isTls, string user, string password, int database)
    {
        var endpoint = RedisEndpoint.Of(
            new RedisSettings
            {
                Url = new(url),
                Host = "other",
                Port = 1234,
            }
        );

        Assert.Equal(
            (printed, isTls, user, password, database),
            ($"{endpoint}", endpoint.IsTls, endpoint.User, endpoint.Password.Value ?? "", endpoint.Database)
        );
    }

    [Fact]
    public void The_settings_are_used_if_there_is_no_URL()
    {
        var endpoint = RedisEndpoint.Of(
            new RedisSettings
            {
                Host = "dragonfly",
                Port = 7,
                Password = new("p"),
                Database = 2,
                Tls = true,
            }
        );

        Assert.Equal(
            ("dragonfly:7", "", "p", 2, true),
            ($"{endpoint}", endpoint.User, endpoint.Password.Value, endpoint.Database, endpoint.IsTls)
        );
    }

    [Fact]
    public void The_credentials_of_the_settings_and_the_database_of_the_URL_take_precedence()
    {
        var endpoint = RedisEndpoint.Of(
            new RedisSettings
            {
                Url = new("redis://u:p@a/5"),
                User = "me",
                Password = new("mine"),
                Database = 9,
                Tls = true,
            }
        );

        Assert.Equal(("me", "mine", 5, true), (endpoint.User, endpoint.Password.Value, endpoint.Database, endpoint.IsTls));
        Assert.Equal(9, RedisEndpoint.Of(new RedisSettings { Url = new("redis://a"), Database = 9 }).Database);
    }

    [Theory]
    [InlineData("http://user:secret@a")]
    [InlineData("redis://user:secret@")]
    [InlineData("redis://user:secret@a:x")]
    [InlineData("redis://user:secret@a/b")]
    [InlineData("redis://user:secret@a/-1")]
    [InlineData("redis://user:secret@a/1?db=2")]
    [InlineData("redis://user:sec#ret@a")]
    [InlineData("redis://")]
    public void An_invalid_URL_is_rejected_without_repeating_it(string url)
    {
        var settings = new RedisSettings { Url = new(url) };

        var fault = Assert.Throws<RedisFaultException>(() => RedisEndpoint.Of(settings));
        Assert.Equal((RedisFault.InvalidSettings, false), (fault.Fault, fault.IsTransient));
        Assert.Contains("REDIS_URL", fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("sec", fault.ToString(), StringComparison.Ordinal);
        var opened = Assert.Throws<FaultException>(() =>
            AdapterCatalog.OpenRedisTransport(settings, new StreamSettings(), TimeProvider.System, NullLoggerFactory.Instance)
        );
        Assert.DoesNotContain("sec", opened.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Secrets_are_not_printed()
    {
        var settings = new RedisSettings { Url = new("redis://u:secret@a/5"), Password = new("secret") };

        Assert.Equal("Redis at a:6379", AdapterCatalog.Describe(settings));
        Assert.True(AdapterCatalog.IsNamed(settings));
        Assert.False(AdapterCatalog.IsNamed(new RedisSettings()));
        Assert.DoesNotContain("secret", $"{settings} {RedisEndpoint.Of(settings)}", StringComparison.Ordinal);
    }
}
