using AgentExecutor.Adapters.Redis;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using StackExchange.Redis;

namespace AgentExecutor.IntegrationTests.Redis;

public sealed class RedisAuthTests : RedisTest
{
    private const string Password = "s3cret p@ss/#";
    private const string NoHello = "rename-command HELLO \"\"";
    private static readonly string RequirePass = $"requirepass \"{Password}\"";
    private static readonly string User = $"user worker on >w0rd ~* &* +@all";

    public RedisAuthTests() => RedisFixture.SkipWithout();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Takes_a_password_from_the_settings_or_the_url(bool hasHello)
    {
        await using var server = await RedisServer.StartOwnAsync([RequirePass, .. Hello(hasHello)]);

        await ConnectsAsync(server.Settings() with { Password = new(Password) }, hasHello);
        await ConnectsAsync(server.Settings($"redis://:{Uri.EscapeDataString(Password)}@127.0.0.1:{server.Port}"), hasHello);
        await ConnectsAsync(
            new RedisSettings
            {
                Host = "127.0.0.1",
                Port = server.Port,
                Password = new(Password),
            },
            hasHello
        );
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Takes_a_user_with_a_password(bool hasHello)
    {
        await using var server = await RedisServer.StartOwnAsync([User, "user default off", .. Hello(hasHello)]);

        await ConnectsAsync(server.Settings() with { User = "worker", Password = new("w0rd") }, hasHello);
        await ConnectsAsync(server.Settings($"redis://worker:w0rd@127.0.0.1:{server.Port}"), hasHello);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_wrong_password_is_reported_once_and_retried(bool hasHello)
    {
        await using var server = await RedisServer.StartOwnAsync([RequirePass, .. Hello(hasHello)]);
        var log = new LogLines();
        await using var connection = Open(server.Settings() with { Password = new("wr0ng one") }, log);

        for (var call = 0; call < 2; call++)
        {
            var fault = await FaultOf(() => SendAsync(connection, "PING"));
            // The second call may time out before the next attempt.
            Assert.True(fault.Fault is RedisFault.AuthenticationFailed or RedisFault.Unreachable);
            Assert.DoesNotContain("wr0ng one", fault.ToString(), StringComparison.Ordinal);
        }
        var line = Assert.Single(log.Lines);
        Assert.StartsWith("1143", line, StringComparison.Ordinal);
        Assert.Contains("WRONGPASS", line, StringComparison.Ordinal);
        Assert.Contains("DRAGONFLY_PASSWORD", line, StringComparison.Ordinal);
        Assert.DoesNotContain("wr0ng one", line, StringComparison.Ordinal);

        Assert.Equal("OK", await server.AskAsync("-a", Password, "--no-auth-warning", "CONFIG", "SET", "requirepass", "wr0ng one"));
        await connection.ConnectedAsync(Cancel).WaitAsync(Limit);
        Assert.Equal("PONG", await AskAsync(connection, "PING"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_missing_password_is_reported(bool hasHello)
    {
        await using var server = await RedisServer.StartOwnAsync([RequirePass, .. Hello(hasHello)]);

        var fault = await RefusedAsync(server.Settings());

        Assert.Equal((RedisFault.AuthenticationFailed, false), (fault.Fault, fault.IsTransient));
        Assert.Contains("requires a password", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_user_with_few_permissions_can_connect_and_learns_which_one_is_missing()
    {
        await using var server = await RedisServer.StartOwnAsync("user worker on >w0rd ~* &allowed* -@all +get +subscribe");
        var settings = server.Settings() with { User = "worker", Password = new("w0rd"), RequestTimeoutSeconds = Limit.TotalSeconds };
        await using var connection = Open(settings);
        await using var subscriber = OpenSubscriber(settings);

        Assert.Contains("NOPERM", (await FaultOf(() => SendAsync(connection, "SET", "a", "b"))).Message, StringComparison.Ordinal);
        Assert.Contains(
            "NOPERM",
            (await FaultOf(() => subscriber.SubscribeAsync(RedisChannel.Literal("other"), _ => { }, () => { }, Cancel))).Message,
            StringComparison.Ordinal
        );
        await subscriber.SubscribeAsync(RedisChannel.Literal("allowed1"), _ => { }, () => { }, Cancel).WaitAsync(Limit);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Selects_the_database(bool hasHello)
    {
        await using var server = await RedisServer.StartOwnAsync([.. Hello(hasHello)]);
        await using var three = Open(server.Settings($"{server.Url}/3"));
        await using var same = Open(server.Settings() with { Database = 3 });
        await using var zero = Open(server.Settings());

        await AskAsync(three, "SET", "a", "b");
        Assert.Equal("b", await AskAsync(same, "GET", "a"));
        Assert.Equal("0", await AskAsync(zero, "EXISTS", "a"));

        var fault = await RefusedAsync(server.Settings() with { Database = 99 });
        Assert.Equal(RedisFault.InvalidSettings, fault.Fault);
        Assert.Contains("AGENT_EXECUTOR_REDIS_DATABASE", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connects_with_TLS_and_checks_the_certificate()
    {
        await using var server = await RedisServer.StartOwnAsync(it =>
        {
            Certificates.Write(it.Folder);
            return
            [
                "port 0",
                $"tls-port {it.Port}",
                $"tls-cert-file {it.Folder}/cert.pem",
                $"tls-key-file {it.Folder}/key.pem",
                $"tls-ca-cert-file {it.Folder}/ca.pem",
                "tls-auth-clients no",
            ];
        });
        var ca = Path.Combine(server.Folder, "ca.pem");
        var named = server.Settings($"rediss://localhost:{server.Port}") with { TlsCa = ca };

        await ConnectsAsync(named, hasHello: true);
        await ConnectsAsync(
            new RedisSettings
            {
                Host = "localhost",
                Port = server.Port,
                Tls = true,
                TlsCa = ca,
            },
            hasHello: true
        );
        // The system does not trust the authority.
        Assert.Equal(RedisFault.TlsFailed, (await RefusedAsync(named with { TlsCa = "" })).Fault);
        // The certificate has another name.
        Assert.Equal(RedisFault.TlsFailed, (await RefusedAsync(named with { Url = new($"rediss://127.0.0.1:{server.Port}") })).Fault);
        var unreadable = await RefusedAsync(named with { TlsCa = "/no/such.pem" });
        Assert.Equal(RedisFault.InvalidSettings, unreadable.Fault);
        Assert.Contains("AGENT_EXECUTOR_REDIS_TLS_CA", unreadable.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_without_TLS_is_a_TLS_fault_and_never_used_in_plain_text()
    {
        await using var server = await RedisServer.StartOwnAsync();

        var fault = await RefusedAsync(server.Settings($"rediss://127.0.0.1:{server.Port}") with { ConnectTimeoutSeconds = 1 });
        Assert.True(fault.Fault is RedisFault.TlsFailed or RedisFault.Unreachable);
    }

    private static string[] Hello(bool hasHello) => hasHello ? [] : [NoHello];

    private static async Task ConnectsAsync(RedisSettings settings, bool hasHello)
    {
        var log = new LogLines();
        await using var connection = Open(settings, log);
        Assert.Equal("PONG", await AskAsync(connection, "PING"));
        Assert.Contains(hasHello ? "RESP3" : "RESP2", Assert.Single(log.Lines), StringComparison.Ordinal);
        await using var subscriber = OpenSubscriber(settings);
        await subscriber.SubscribeAsync(RedisChannel.Literal("a"), _ => { }, () => { }, Cancel).WaitAsync(Limit);
    }

    private static async Task<RedisFaultException> RefusedAsync(RedisSettings settings)
    {
        await using var connection = Open(settings with { RequestTimeoutSeconds = 10 });
        return await FaultOf(() => SendAsync(connection, "PING"));
    }
}
