using AgentExecutor.Adapters.Nats;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using NATS.Client.Core;
using NATS.NKeys;

namespace AgentExecutor.IntegrationTests.Nats;

public sealed class NatsAuthTests : NatsTest
{
    private const string Password = "s3cret p@ss";

    public NatsAuthTests() => NatsFixture.SkipWithout();

    [Fact]
    public async Task Takes_a_user_from_the_settings_or_the_url()
    {
        await using var server = await StartAsync($"authorization {{ user: u, password: \"{Password}\" }}");

        await ConnectsAsync(server.Settings() with { User = "u", Password = new(Password) });
        await ConnectsAsync(server.Settings($"nats://u:{Uri.EscapeDataString(Password)}@127.0.0.1:{server.Port}"));
    }

    [Fact]
    public async Task Takes_a_token_from_the_settings_or_the_url()
    {
        await using var server = await StartAsync("authorization { token: \"t0ken\" }");

        await ConnectsAsync(server.Settings() with { Token = new("t0ken") });
        await ConnectsAsync(server.Settings($"nats://t0ken@127.0.0.1:{server.Port}"));
    }

    [Fact]
    public async Task Takes_an_nkey()
    {
        using var key = KeyPair.CreatePair(PrefixByte.User);
        using var other = KeyPair.CreatePair(PrefixByte.User);
        await using var server = await StartAsync($"authorization {{ users: [ {{ nkey: {key.GetPublicKey()} }} ] }}");

        await ConnectsAsync(server.Settings() with { NkeySeed = new(key.GetSeed()) });
        await RefusedAsync(server.Settings() with { NkeySeed = new(other.GetSeed()) });
    }

    [Fact]
    public async Task Takes_a_creds_file()
    {
        using var jwts = new NatsJwts();
        using var strangers = new NatsJwts();
        await using var server = await StartAsync(jwts.ServerConfig());
        var path = Path.Combine(server.Folder, "user.creds");
        await File.WriteAllTextAsync(path, jwts.UserCreds(), Cancellation);

        await ConnectsAsync(server.Settings() with { Creds = path });
        await File.WriteAllTextAsync(path, strangers.UserCreds(), Cancellation);
        await RefusedAsync(server.Settings() with { Creds = path });
    }

    [Fact]
    public async Task A_wrong_password_is_a_clear_fault_and_not_tried_for_ever()
    {
        await using var server = await StartAsync("authorization { user: u, password: right }");
        var log = new LogLines();
        await using var link = Open(server.Settings() with { User = "u", Password = new(Password) }, log);

        for (var call = 0; call < 2; call++)
        {
            var fault = await FaultOf(() => ConnectAsync(link));
            Assert.True(NatsFaults.IsRefused(fault));
            Assert.Contains("Authorization Violation", NatsFaults.Describe(fault), StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain(Password, fault.ToString(), StringComparison.Ordinal);
        }
        Assert.Equal(2, log.Lines.Count); // One attempt for each call.
        Assert.DoesNotContain(log.Lines, line => line.Contains(Password, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_server_that_refuses_the_credentials_after_a_restart_is_tried_until_it_accepts_them_again()
    {
        await using var server = await StartAsync("authorization { user: u, password: one }");
        var log = new LogLines();
        await using var link = Open(server.Settings() with { User = "u", Password = new("one"), RequestTimeoutSeconds = 1 }, log);
        await ConnectAsync(link);

        await server.KillAsync();
        await server.StartAgainAsync("authorization { user: u, password: two }");
        await FaultOf(() => ConnectAsync(link));
        await Wait.UntilAsync(() => log.Lines.Any(line => line.Contains("Authorization Violation", StringComparison.OrdinalIgnoreCase)));

        await server.KillAsync();
        await server.StartAgainAsync("authorization { user: u, password: one }");
        await Retried(async () =>
        {
            await ConnectAsync(link);
            return true;
        });
        Assert.Single(log.Lines, line => line.StartsWith("1110", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("/no/such.creds")]
    [InlineData("/etc/hostname")]
    public async Task An_invalid_credentials_file_is_named(string path)
    {
        await using var server = await StartAsync("");
        await using var link = Open(server.Settings() with { Creds = path });

        Assert.Contains(path, (await FaultOf(() => ConnectAsync(link))).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_permission_fails_only_the_calls_that_need_it()
    {
        await using var server = await StartAsync(
            """
            authorization { users: [ { user: u, password: p, permissions: {
              publish: { deny: ["no.publish"] }, subscribe: { deny: ["no.subscribe"] } } } ] }
            """
        );
        await using var link = Open(server.Settings() with { User = "u", Password = new("p"), RequestTimeoutSeconds = 60 });
        var allowed = ReadAsync(link, "allowed");

        var refused = await FaultOf(() => ReadAsync(link, "no.subscribe"));
        Assert.Contains("Permissions Violation for Subscription to \"no.subscribe\"", refused.Message, StringComparison.OrdinalIgnoreCase);
        for (var call = 0; call < 2; call++)
        {
            refused = await FaultOf(() =>
                link.UseAsync(
                    static subject => subject == "no.publish",
                    async cancel => await link.Connection.RequestAsync<byte[], byte[]>("no.publish", [], cancellationToken: cancel),
                    Cancellation
                )
            );
            Assert.Contains("Permissions Violation for Publish to \"no.publish\"", refused.Message, StringComparison.OrdinalIgnoreCase);
        }
        Assert.False(allowed.IsCompleted);
        await link.Connection.PublishAsync("allowed", "1"u8.ToArray(), cancellationToken: Cancellation);
        Assert.Equal("1"u8.ToArray(), (await allowed.WaitAsync(Limit)).Data);
    }

    [Theory]
    [InlineData("publish: { deny: [\"agent.execute.*\"] }", "Publish to \"agent.execute.a\"")]
    [InlineData("publish: { deny: [\"$JS.API.STREAM.>\"] }", "Publish to \"$JS.API.STREAM.")]
    [InlineData("publish: { deny: [\"$JS.API.CONSUMER.MSG.NEXT.>\"] }", "Publish to \"$JS.API.CONSUMER.MSG.NEXT.AGENT_EXECUTION.agent")]
    [InlineData("subscribe: { deny: [\"_INBOX.>\"] }", "Subscription to \"_INBOX.")]
    public async Task The_bus_reports_promptly_what_its_user_may_not_do(string permissions, string reason)
    {
        await using var server = await NatsServer.StartOwnAsync(_ =>
            $"authorization {{ users: [ {{ user: u, password: p, permissions: {{ {permissions} }} }} ] }}"
        );
        await using var bus = OpenBus(server.Settings() with { User = "u", Password = new("p"), RequestTimeoutSeconds = 60 });

        for (var call = 0; call < 2; call++)
        {
            var fault = await Assert.ThrowsAsync<FaultException>(async () =>
            {
                await bus.PublishAsync([new BusMessage("agent.execute.a", default)], Cancellation).AsTask().WaitAsync(Limit);
                await bus.FetchAsync(2, TimeSpan.FromMinutes(1), Cancellation).AsTask().WaitAsync(Limit);
                await bus.FetchAsync(2, TimeSpan.FromMinutes(1), Cancellation).AsTask().WaitAsync(Limit);
            });
            Assert.Contains($"Permissions Violation for {reason}", fault.Message, StringComparison.OrdinalIgnoreCase);
            Assert.Equal((FaultCodes.BusUnavailable, true), (fault.Code, fault.IsTransient));
        }
    }

    [Fact]
    public async Task Connects_with_TLS_if_the_server_requires_it_and_checks_the_certificate()
    {
        await using var server = await NatsServer.StartOwnAsync(WriteCertificates, hasJetStream: false);
        var ca = Path.Combine(server.Folder, "ca.pem");
        var named = $"tls://localhost:{server.Port}";

        await ConnectsAsync(server.Settings(named) with { TlsCa = ca });
        await ConnectsAsync(server.Settings($"nats://localhost:{server.Port}") with { TlsCa = ca });
        await RefusedAsync(server.Settings(named), "TLS"); // The system does not trust the authority.
        // The certificate has another name.
        await RefusedAsync(server.Settings($"tls://127.0.0.1:{server.Port}") with { TlsCa = ca }, "TLS");
        await RefusedAsync(server.Settings(named) with { TlsCa = "/no/such.pem" }, "TLS_CA cannot be read");
    }

    [Fact]
    public async Task A_TLS_URL_never_falls_back_to_plain_text()
    {
        await using var server = await StartAsync("");

        await RefusedAsync(server.Settings($"tls://127.0.0.1:{server.Port}"), "TLS");
    }

    /// <summary>Waits for one message.</summary>
    private static Task<NatsMsg<byte[]>> ReadAsync(NatsLink link, string subject) =>
        link.UseAsync(
            it => it == subject,
            async cancel =>
            {
                await using var subscription = await link.Connection.SubscribeCoreAsync<byte[]>(
                    subject,
                    cancellationToken: CancellationToken.None
                );
                return await subscription.Msgs.ReadAsync(cancel);
            },
            Cancellation
        );

    private static Task<NatsServer> StartAsync(string config) => NatsServer.StartOwnAsync(_ => config, hasJetStream: false);

    private static async Task ConnectsAsync(NatsSettings settings)
    {
        await using var link = Open(settings);
        await ConnectAsync(link);
    }

    private static async Task RefusedAsync(NatsSettings settings, string? reason = null)
    {
        await using var link = Open(settings);
        var fault = await FaultOf(() => ConnectAsync(link));
        Assert.True(
            reason is null ? NatsFaults.IsRefused(fault) : fault.ToString().Contains(reason, StringComparison.OrdinalIgnoreCase),
            fault.ToString()
        );
    }

    private static string WriteCertificates(string folder)
    {
        Certificates.Write(folder);
        return $"tls {{ cert_file: \"{folder}/cert.pem\", key_file: \"{folder}/key.pem\" }}\n";
    }
}
