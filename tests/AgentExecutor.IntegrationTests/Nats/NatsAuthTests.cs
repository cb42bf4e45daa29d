using AgentExecutor.Adapters.Nats;
using AgentExecutor.Adapters.Nats.Protocol;
using AgentExecutor.IntegrationTests.Servers;

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
        var key = NatsJwts.NewKey(Nkey.User);
        await using var server = await StartAsync($"authorization {{ users: [ {{ nkey: {key.PublicKey} }} ] }}");

        await ConnectsAsync(server.Settings() with { NkeySeed = new(key.ToSeed()) });
        await RefusedAsync(server.Settings() with { NkeySeed = new(NatsJwts.NewKey(Nkey.User).ToSeed()) });
    }

    [Fact]
    public async Task Takes_a_creds_file()
    {
        var jwts = new NatsJwts();
        await using var server = await StartAsync(jwts.ServerConfig());
        var path = Path.Combine(server.Folder, "user.creds");
        await File.WriteAllTextAsync(path, jwts.UserCreds(), Cancellation);

        await ConnectsAsync(server.Settings() with { Creds = path });
        await File.WriteAllTextAsync(path, new NatsJwts().UserCreds(), Cancellation);
        await RefusedAsync(server.Settings() with { Creds = path });
    }

    [Fact]
    public async Task A_wrong_password_is_a_clear_fault_and_not_tried_for_ever()
    {
        await using var server = await StartAsync("authorization { user: u, password: right }");
        var log = new LogLines();
        await using var connection = new NatsConnection(server.Settings() with { User = "u", Password = new(Password) }, TimeProvider.System, log);

        for (var call = 0; call < 2; call++)
        {
            var fault = await FaultOf(() => connection.PublishAsync("a", default, null, null, Cancellation).AsTask());
            Assert.Equal((NatsFault.AuthenticationFailed, false), (fault.Fault, fault.IsTransient));
            Assert.Contains("Authorization Violation", fault.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(Password, fault.ToString(), StringComparison.Ordinal);
        }
        Assert.Equal(2, log.Lines.Count); // one try for each call
        Assert.DoesNotContain(log.Lines, line => line.Contains(Password, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_server_that_knows_us_no_longer_ends_what_waits_and_is_asked_again_by_the_next_call()
    {
        await using var server = await StartAsync("authorization { user: u, password: one }");
        await using var connection = Open(server.Settings() with { User = "u", Password = new("one") });
        using var subscription = connection.Subscribe("a", null, 10);
        await connection.FlushAsync(Cancellation);

        await server.KillAsync();
        await server.StartAgainAsync("authorization { user: u, password: two }");
        Assert.Equal(NatsFault.AuthenticationFailed, (await FaultOf(() => NextAsync(subscription))).Fault);

        await server.KillAsync();
        await server.StartAgainAsync("authorization { user: u, password: one }");
        await connection.FlushAsync(Cancellation);
    }

    [Theory]
    [InlineData("/no/such.creds")]
    [InlineData("/etc/hostname")]
    public async Task A_creds_file_that_is_none_is_a_wrong_setting(string path)
    {
        await using var server = await StartAsync("");
        await using var connection = Open(server.Settings() with { Creds = path });

        Assert.Equal(NatsFault.InvalidSettings, (await FaultOf(() => connection.ConnectAsync(Cancellation))).Fault);
    }

    [Fact]
    public async Task What_a_user_may_not_do_is_told_to_whoever_waits_for_it()
    {
        await using var server = await StartAsync(
            "authorization { users: [ { user: u, password: p, permissions: { publish: { deny: [\"no.publish\"] }, subscribe: { deny: [\"no.subscribe\"] } } } ] }");
        await using var connection = Open(server.Settings() with { User = "u", Password = new("p") });
        using var denied = connection.Subscribe("no.subscribe", null, 10);
        using var allowed = connection.Subscribe("allowed", null, 10);

        Assert.Equal(NatsFault.PermissionDenied, (await FaultOf(async () => { await connection.FlushAsync(Cancellation); await NextAsync(denied); })).Fault);
        Assert.Equal(NatsFault.PermissionDenied, (await FaultOf(() => connection.RequestAsync("no.publish", default, null, TimeSpan.FromMinutes(1), Cancellation))).Fault);
        await connection.PublishAsync("allowed", default, null, null, Cancellation);
        await NextAsync(allowed);
    }

    [Fact]
    public async Task Speaks_tls_where_the_server_asks_for_it_and_checks_its_certificate()
    {
        await using var server = await NatsServer.StartOwnAsync(WriteCertificates, hasJetStream: false);
        var ca = Path.Combine(server.Folder, "ca.pem");
        var named = $"tls://localhost:{server.Port}";

        await ConnectsAsync(server.Settings(named) with { TlsCa = ca });
        await ConnectsAsync(server.Settings($"nats://localhost:{server.Port}") with { TlsCa = ca });
        await RefusedAsync(server.Settings(named), NatsFault.TlsFailed); // nobody that the system trusts signed it
        await RefusedAsync(server.Settings($"tls://127.0.0.1:{server.Port}") with { TlsCa = ca }, NatsFault.TlsFailed); // it is signed for another name
        await RefusedAsync(server.Settings(named) with { TlsCa = "/no/such.pem" }, NatsFault.InvalidSettings);
    }

    [Fact]
    public async Task A_tls_url_never_falls_back_to_plain_text()
    {
        await using var server = await StartAsync("");

        await RefusedAsync(server.Settings($"tls://127.0.0.1:{server.Port}"), NatsFault.TlsFailed);
    }

    private static Task<NatsServer> StartAsync(string config) => NatsServer.StartOwnAsync(_ => config, hasJetStream: false);

    private static async Task ConnectsAsync(NatsSettings settings)
    {
        await using var connection = Open(settings);
        await connection.FlushAsync(Cancellation);
    }

    private static async Task RefusedAsync(NatsSettings settings, params NatsFault[] faults)
    {
        await using var connection = Open(settings);
        var fault = await FaultOf(() => connection.ConnectAsync(Cancellation));
        Assert.Contains(fault.Fault, faults is [] ? [NatsFault.AuthenticationFailed] : faults);
    }

    private static string WriteCertificates(string folder)
    {
        Certificates.Write(folder);
        return $"tls {{ cert_file: \"{folder}/cert.pem\", key_file: \"{folder}/key.pem\" }}\n";
    }
}
