using System.Text;
using AgentExecutor.Adapters.Connections;
using NATS.Client.Core;

namespace AgentExecutor.Adapters.Nats;

/// <summary>Translates the settings of the service into options of the NATS client.</summary>
internal static class NatsOptions
{
    /// <exception cref="FormatException">The URL cannot be read.</exception>
    public static NatsOpts From(NatsSettings settings)
    {
        var servers = NatsServerUrl.ParseAll(settings.Url.Value ?? "");
        var timeout = TimeSpan.FromSeconds(settings.RequestTimeoutSeconds);
        return NatsOpts.Default with
        {
            // Does not contain the credentials, because the client includes the URL in its messages.
            Url = string.Join(',', servers.Select(static server => $"{(server.IsTls ? "tls" : "nats")}://{server}")),
            Name = "agent-executor",
            AuthOpts = new NatsAuthOpts { AuthCredCallback = (server, _) => ValueTask.FromResult(Credentials(settings, servers, server)) },
            TlsOpts = Tls(settings, servers),
            ConnectTimeout = TimeSpan.FromSeconds(settings.ConnectTimeoutSeconds),
            PingInterval = TimeSpan.FromSeconds(settings.PingSeconds),
            RequestTimeout = timeout,
            CommandTimeout = timeout,
            PublishTimeoutOnDisconnected = true,
            ReconnectWaitMin = TimeSpan.FromMilliseconds(100),
            ReconnectWaitMax = TimeSpan.FromSeconds(2),
            // A server that rejects the credentials may be reloading its configuration.
            IgnoreAuthErrorAbort = true,
            // The default mode creates a subscription for each request.
            RequestReplyMode = NatsRequestReplyMode.Direct,
            // Keeps every byte, so that the text can be decoded as UTF-8 or as Latin-1.
            HeaderEncoding = Encoding.Latin1,
            CaseSensitiveHeaders = true,
            DrainPingTimeout = TimeSpan.FromSeconds(1),
        };
    }

    /// <summary>
    /// Returns the credentials for a connection attempt. A credentials file is read each time, so it can be replaced while the service
    /// runs.
    /// </summary>
    private static NatsAuthCred Credentials(NatsSettings settings, IReadOnlyList<NatsServerUrl> servers, Uri server) =>
        settings switch
        {
            { Creds.Length: > 0 } => NatsAuthCred.FromCredsFile(settings.Creds),
            { NkeySeed.IsSet: true } => NatsAuthCred.FromNkey(settings.NkeySeed.Value!),
            { Token.IsSet: true } => NatsAuthCred.FromToken(settings.Token.Value!),
            { User.Length: > 0 } => NatsAuthCred.FromUserInfo(settings.User, settings.Password.Value ?? ""),
            _ => UserInfo(servers, server),
        };

    /// <summary>
    /// Returns the credentials of the server's URL. A server that the cluster announced has no URL in the settings, so it gets the first
    /// credentials in the list.
    /// </summary>
    private static NatsAuthCred UserInfo(IReadOnlyList<NatsServerUrl> servers, Uri server)
    {
        var known =
            servers.FirstOrDefault(it => it.Host.Equals(server.DnsSafeHost, StringComparison.OrdinalIgnoreCase) && it.Port == server.Port)
            ?? servers.FirstOrDefault(static it => it.UserInfo.IsSet);
        if (known is not { UserInfo.IsSet: true })
        {
            return default;
        }
        return known.UserInfo.Value!.Split(':', 2) is [var user, var password]
            ? NatsAuthCred.FromUserInfo(Uri.UnescapeDataString(user), Uri.UnescapeDataString(password))
            : NatsAuthCred.FromToken(Uri.UnescapeDataString(known.UserInfo.Value!));
    }

    /// <summary>If one URL is <c>tls://</c>, no connection falls back to plain text, because it would reveal the credentials.</summary>
    private static NatsTlsOpts Tls(NatsSettings settings, IReadOnlyList<NatsServerUrl> servers) =>
        new()
        {
            Mode = servers.Any(static server => server.IsTls) ? TlsMode.Require : TlsMode.Prefer,
            ConfigureClientAuthentication = options =>
            {
                ClientTls.Trust(
                    options,
                    settings.TlsCa,
                    exception => new NatsException($"AGENT_EXECUTOR_NATS_TLS_CA cannot be read: {exception.Message}", exception)
                );
                return ValueTask.CompletedTask;
            },
        };
}
