using System.Net.Sockets;
using System.Security.Authentication;
using AgentExecutor.Adapters.Connections;

namespace AgentExecutor.Adapters.Redis.Protocol;

/// <summary>A connection that may be used, and what the server is.</summary>
internal sealed record RedisGreeting(RespWire Wire, int Protocol, string Version);

/// <summary>Makes a connection: TCP, TLS where asked for, HELLO 3 with our credentials, or AUTH where the server does not know it, SELECT, and a PING that says that all was taken.</summary>
internal sealed class RedisOpener(RedisSettings settings, TimeProvider time)
{
    private const string ClientName = "agent-executor";
    private const string PasswordHint = "check DRAGONFLY_PASSWORD, or AGENT_EXECUTOR_REDIS_PASSWORD with AGENT_EXECUTOR_REDIS_USER, or what REDIS_URL holds";

    public RedisEndpoint Endpoint { get; } = RedisEndpoint.Of(settings);

    /// <exception cref="RedisException">Always this, but for the end of the lifetime.</exception>
    public async Task<RedisGreeting> OpenAsync(CancellationToken lifetime)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(settings.ConnectTimeoutSeconds), time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, lifetime);
        Stream? stream = null;
        try
        {
            stream = await ConnectAsync(both.Token);
            if (Endpoint.IsTls)
            {
                stream = await ClientTls.UpgradeAsync(stream, Endpoint.Host, settings.TlsCa, UnreadableCa, both.Token);
            }
            return await ShakeHandsAsync(RespWire.Over(stream), both.Token);
        }
        catch (Exception exception)
        {
            if (stream is not null)
            {
                await stream.DisposeAsync();
            }
            lifetime.ThrowIfCancellationRequested();
            throw exception as RedisException ?? FaultOf(exception);
        }
    }

    private static RedisException UnreadableCa(Exception exception) =>
        new(RedisFault.InvalidSettings, $"the file that AGENT_EXECUTOR_REDIS_TLS_CA names cannot be read: {exception.Message}", exception);

    private RedisException FaultOf(Exception exception) => exception switch
    {
        OperationCanceledException => new RedisException(RedisFault.Unreachable, $"{Endpoint} did not answer in time"),
        AuthenticationException => new RedisException(RedisFault.TlsFailed, $"TLS with {Endpoint} failed: {exception.InnerException?.Message ?? exception.Message}", exception),
        SocketException or IOException => new RedisException(RedisFault.Unreachable, $"{Endpoint} cannot be reached: {exception.Message}", exception),
        _ => new RedisException(RedisFault.Unreachable, $"connecting to {Endpoint} failed: {exception.Message}", exception),
    };

    private async Task<Stream> ConnectAsync(CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(Endpoint.Host, Endpoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<RedisGreeting> ShakeHandsAsync(RespWire wire, CancellationToken cancellationToken)
    {
        var hello = await wire.AskAsync(Hello(), cancellationToken);
        if (hello.IsError)
        {
            await FallBackAsync(wire, hello.Text, cancellationToken);
        }
        await wire.AskAsync(["CLIENT", "SETNAME", ClientName], cancellationToken); // for people who list clients: where it is refused we do without
        if (Endpoint.Database != 0 && await wire.AskAsync(["SELECT", $"{Endpoint.Database}"], cancellationToken) is { IsError: true } refusal)
        {
            throw RefusalOf(refusal.Text) ?? new RedisException(
                RedisFault.InvalidSettings, $"{Endpoint} has no database {Endpoint.Database} for us: {refusal.Text}; check AGENT_EXECUTOR_REDIS_DATABASE, or the end of REDIS_URL");
        }
        if (await wire.AskAsync(["PING"], cancellationToken) is { IsError: true } pong && !pong.Text.StartsWith("NOPERM", StringComparison.Ordinal))
        {
            throw RefusalOf(pong.Text) ?? new RedisException(RedisFault.ServerError, $"{Endpoint}: {pong.Text}");
        }
        return new RedisGreeting(wire, hello.IsError ? 2 : 3, VersionIn(hello));
    }

    private string[] Hello() => Endpoint.Password.IsSet
        ? ["HELLO", "3", "AUTH", Endpoint.User.Length > 0 ? Endpoint.User : "default", Endpoint.Password.Value!]
        : ["HELLO", "3"];

    /// <summary>A server that does not know HELLO, or not 3, or a proxy before it: we speak RESP2.</summary>
    private async Task FallBackAsync(RespWire wire, string error, CancellationToken cancellationToken)
    {
        if (error.StartsWith("WRONGPASS", StringComparison.Ordinal))
        {
            throw RefusalOf(error)!;
        }
        if (error.StartsWith("DENIED", StringComparison.Ordinal) || error.Contains("max number of clients", StringComparison.Ordinal))
        {
            throw new RedisException(RedisFault.ServerError, $"{Endpoint}: {error}"); // it hangs up behind this
        }
        if (!Endpoint.Password.IsSet)
        {
            return;
        }
        string[] auth = Endpoint.User.Length > 0 ? ["AUTH", Endpoint.User, Endpoint.Password.Value!] : ["AUTH", Endpoint.Password.Value!];
        if (await wire.AskAsync(auth, cancellationToken) is { IsError: true } refusal)
        {
            throw RefusalOf(refusal.Text) ?? new RedisException(RedisFault.AuthenticationFailed, $"{Endpoint} refuses our credentials: {WithoutPassword(refusal.Text)}; {PasswordHint}");
        }
    }

    /// <summary>Null where the error is not about who we are.</summary>
    private RedisException? RefusalOf(string error) => error switch
    {
        _ when error.StartsWith("NOAUTH", StringComparison.Ordinal) =>
            new RedisException(RedisFault.AuthenticationFailed, $"{Endpoint} asks for a password: {error}; {PasswordHint}"),
        _ when error.StartsWith("WRONGPASS", StringComparison.Ordinal) =>
            new RedisException(RedisFault.AuthenticationFailed, $"{Endpoint} refuses our credentials: {error}; {PasswordHint}"),
        _ when error.StartsWith("LOADING", StringComparison.Ordinal) => new RedisException(RedisFault.ServerError, $"{Endpoint}: {error}"),
        _ => null,
    };

    /// <summary>A server that does not know AUTH repeats what it was sent.</summary>
    private string WithoutPassword(string text) => text.Replace(Endpoint.Password.Value!, "***", StringComparison.Ordinal);

    private static string VersionIn(RespValue hello)
    {
        for (var index = 0; index + 1 < hello.Items.Count; index += 2)
        {
            if (hello.Items[index].Text == "version")
            {
                return hello.Items[index + 1].Text;
            }
        }
        return "unknown";
    }
}
