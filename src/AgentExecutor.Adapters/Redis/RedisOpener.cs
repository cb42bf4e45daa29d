using StackExchange.Redis;

namespace AgentExecutor.Adapters.Redis;

/// <summary>A connected multiplexer, and the tunnel that has opened its connections.</summary>
internal sealed record OpenedRedis(ConnectionMultiplexer Multiplexer, RedisTunnel Tunnel, int Database)
{
    public IServer Server => Multiplexer.GetServers()[0];

    /// <summary>The version of the protocol that was agreed on.</summary>
    public int Protocol => Server.Protocol == RedisProtocol.Resp3 ? 3 : 2;

    /// <summary>The version of the server, or "unknown" for a server without HELLO.</summary>
    public string Version => Protocol == 3 ? $"{Server.Version}" : "unknown";

    /// <summary>Closes the connections. Commands that are in flight fail.</summary>
    public async Task CloseAsync()
    {
        await Multiplexer.CloseAsync(allowCommandsToComplete: false);
        await Multiplexer.DisposeAsync();
        Tunnel.Dispose();
    }
}

/// <summary>Connects to the server with TCP and, if it is configured, TLS, authenticates, and selects the database.</summary>
internal sealed class RedisOpener(RedisSettings settings, Func<bool>? isDelivered, TimeProvider time)
{
    private const string ClientName = "agent-executor";

    private const string PasswordHint =
        "check DRAGONFLY_PASSWORD, or AGENT_EXECUTOR_REDIS_PASSWORD with AGENT_EXECUTOR_REDIS_USER, or the credentials in REDIS_URL";

    /// <summary>
    /// Commands that the library would send on its own, and for which a user with few permissions may lack the permission. Without INFO and
    /// CLUSTER the library sends every command to the one server that is configured. Keys are deleted with DEL instead of UNLINK.
    /// </summary>
    private static readonly CommandMap Commands = CommandMap.Create(
        ["CLUSTER", "CONFIG", "ECHO", "INFO", "ROLE", "SENTINEL", "TIME", "UNLINK"],
        available: false
    );

    public RedisEndpoint Endpoint { get; } = RedisEndpoint.Of(settings);

    /// <exception cref="RedisFaultException">The server cannot be used.</exception>
    public async Task<OpenedRedis> OpenAsync(CancellationToken lifetime)
    {
        var tunnel = new RedisTunnel(Endpoint, settings, isDelivered, time);
        OpenedRedis? opened = null;
        try
        {
            using var closing = lifetime.Register(tunnel.Dispose);
            await tunnel.OpenFirstAsync();
            opened = new OpenedRedis(await ConnectionMultiplexer.ConnectAsync(Options(tunnel)), tunnel, Endpoint.Database);
            // A replica itself replies with the error READONLY.
            opened.Server.AllowReplicaWrites = true;
            await SelectAsync(opened);
            return opened;
        }
        catch (Exception exception)
        {
            // Is determined before the tunnel is closed, because that makes the next attempt of the library fail as well.
            var fault = FaultOf(exception, tunnel);
            tunnel.Dispose();
            await (opened?.CloseAsync() ?? Task.CompletedTask);
            lifetime.ThrowIfCancellationRequested();
            throw fault;
        }
    }

    /// <summary>
    /// Returns options without timeouts of the library, because <see cref="RedisLink"/> handles them. The library would fail a command
    /// after a fixed time although a large reply is arriving, and would keep a connection to a server that hangs four times as long.
    /// </summary>
    private ConfigurationOptions Options(RedisTunnel tunnel) =>
        new()
        {
            EndPoints = { { Endpoint.Host, Endpoint.Port } },
            User = Endpoint.User.Length > 0 && Endpoint.Password.IsSet ? Endpoint.User : null,
            Password = Endpoint.Password.Value,
            DefaultDatabase = Endpoint.Database,
            ClientName = ClientName,
            SetClientLibrary = false,
            Protocol = RedisProtocol.Resp3,
            Tunnel = tunnel,
            CommandMap = Commands,
            AbortOnConnectFail = true,
            ConnectRetry = 1,
            ConnectTimeout = (int)Math.Min(settings.ConnectTimeoutSeconds * 1000, int.MaxValue),
            AsyncTimeout = int.MaxValue,
            ConfigurationChannel = "",
            TieBreaker = "",
            ConfigCheckSeconds = 0,
            TopologyRefreshSeconds = 0,
            IncludeDetailInExceptions = false,
        };

    /// <summary>Fails if the database does not exist. The library ignores that error and uses the first database.</summary>
    private async Task SelectAsync(OpenedRedis opened)
    {
        if (Endpoint.Database == 0)
        {
            return;
        }
        try
        {
            await opened
                .Multiplexer.GetDatabase()
                .ExecuteAsync("SELECT", Endpoint.Database)
                .WaitAsync(TimeSpan.FromSeconds(settings.ConnectTimeoutSeconds), time);
        }
        catch (RedisServerException exception)
        {
            throw new RedisFaultException(
                RedisFault.InvalidSettings,
                $"{Endpoint} rejects the database {Endpoint.Database}: {exception.Message}; "
                    + "check AGENT_EXECUTOR_REDIS_DATABASE, or the number at the end of REDIS_URL"
            );
        }
    }

    private RedisFaultException FaultOf(Exception exception, RedisTunnel tunnel)
    {
        if (exception is RedisFaultException fault)
        {
            return fault;
        }
        if (exception is RedisConnectionException { FailureType: ConnectionFailureType.AuthenticationFailure })
        {
            return RefusalOf(exception.InnerException?.Message ?? exception.Message);
        }
        if (tunnel.Failure.Task.IsCompletedSuccessfully)
        {
            return tunnel.Failure.Task.Result;
        }
        return tunnel.Streams is [{ Refusal: { } refusal }, ..]
            ? new RedisFaultException(RedisFault.ServerError, $"{Endpoint}: {refusal}")
            : new RedisFaultException(RedisFault.Unreachable, $"{Endpoint} did not complete the handshake in time", exception);
    }

    /// <summary>
    /// Creates the fault for rejected credentials. The password is masked, because a server that does not know AUTH repeats it in its
    /// error.
    /// </summary>
    private RedisFaultException RefusalOf(string error)
    {
        var text = Endpoint.Password.IsSet ? error.Replace(Endpoint.Password.Value!, "***", StringComparison.Ordinal) : error;
        return new RedisFaultException(
            RedisFault.AuthenticationFailed,
            Endpoint.Password.IsSet
                ? $"{Endpoint} rejects the credentials: {text}; {PasswordHint}"
                : $"{Endpoint} requires a password: {text}; {PasswordHint}"
        );
    }
}
