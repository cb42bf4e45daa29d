using System.IO.Pipelines;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text.Json;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>A stream with what was read from it and not yet used.</summary>
internal sealed record NatsWire(Stream Stream, PipeReader Reader, NatsParser Parser)
{
    private const int ReadSize = 64 * 1024;

    public static NatsWire Over(Stream stream) => new(stream, PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: ReadSize, leaveOpen: true)), new NatsParser());

    public async Task<NatsOp> ReadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await Reader.ReadAsync(cancellationToken);
            var buffer = read.Buffer;
            if (Parser.TryRead(ref buffer, out var op))
            {
                Reader.AdvanceTo(buffer.Start); // not examined further: what follows may be whole already
                return op;
            }
            Reader.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
            {
                throw new IOException("the server closed the connection before it was made");
            }
        }
    }
}

/// <summary>
/// Makes a link: TCP, the server's INFO, TLS where either side wants it, CONNECT with our credentials, and a PING whose PONG says that they were taken.
/// </summary>
internal sealed class LinkOpener(NatsSettings settings, TimeProvider time)
{
    private readonly NatsCredentials _credentials = new(settings);

    /// <param name="lifetime">Ends the link too.</param>
    /// <exception cref="NatsException">Always this, but for the end of the lifetime.</exception>
    public async Task<NatsLink> OpenAsync(NatsEndpoint endpoint, LinkEvents events, CancellationToken lifetime)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(settings.ConnectTimeoutSeconds), time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, lifetime);
        Stream? stream = null;
        try
        {
            stream = await ConnectAsync(endpoint, both.Token);
            var wire = NatsWire.Over(stream);
            var info = await ReadInfoAsync(wire, both.Token);
            if (WantsTls(endpoint, info))
            {
                stream = await NatsTls.UpgradeAsync(wire, endpoint, settings.TlsCa, both.Token);
                wire = NatsWire.Over(stream);
            }
            info = await ShakeHandsAsync(wire, endpoint, info, both.Token);
            events.Info(info, endpoint);
            return new NatsLink(wire, info, endpoint, events, (time, TimeSpan.FromSeconds(settings.PingSeconds)), lifetime);
        }
        catch (Exception exception)
        {
            if (stream is not null)
            {
                await stream.DisposeAsync();
            }
            lifetime.ThrowIfCancellationRequested();
            throw exception as NatsException ?? FaultOf(exception, endpoint);
        }
    }

    private static NatsException FaultOf(Exception exception, NatsEndpoint endpoint) => exception switch
    {
        OperationCanceledException => new NatsException(NatsFault.Unreachable, $"NATS server {endpoint} did not answer in time"),
        AuthenticationException => new NatsException(NatsFault.TlsFailed, $"TLS with NATS server {endpoint} failed: {exception.InnerException?.Message ?? exception.Message}", exception),
        SocketException or IOException => new NatsException(NatsFault.Unreachable, $"NATS server {endpoint} cannot be reached: {exception.Message}", exception),
        _ => new NatsException(NatsFault.Unreachable, $"connecting to NATS server {endpoint} failed: {exception.Message}", exception),
    };

    private static async Task<Stream> ConnectAsync(NatsEndpoint endpoint, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(endpoint.Host, endpoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task<ServerInfo> ReadInfoAsync(NatsWire wire, CancellationToken cancellationToken) => await wire.ReadAsync(cancellationToken) switch
    {
        { Kind: NatsOpKind.Info } op => ServerInfo.Parse(op.Text),
        { Kind: NatsOpKind.Error } op => throw new NatsException(NatsFault.ServerError, $"NATS server: {op.Text}"),
        _ => throw new NatsException(NatsFault.Protocol, "the NATS server did not begin with INFO"),
    };

    /// <summary>A tls URL never falls back: the password would pass in the clear.</summary>
    private static bool WantsTls(NatsEndpoint endpoint, ServerInfo info) => endpoint.IsTls && !info.TlsRequired && !info.TlsAvailable
        ? throw new NatsException(NatsFault.TlsFailed, $"NATS server {endpoint} has no TLS, and its URL says tls://")
        : endpoint.IsTls || info.TlsRequired;

    private async Task<ServerInfo> ShakeHandsAsync(NatsWire wire, NatsEndpoint endpoint, ServerInfo info, CancellationToken cancellationToken)
    {
        var request = new ConnectRequest { TlsRequired = wire.Stream is not NetworkStream };
        await _credentials.AddToAsync(request, info, endpoint, cancellationToken);
        byte[] connect = [.. "CONNECT "u8, .. JsonSerializer.SerializeToUtf8Bytes(request, WireJson.Default.ConnectRequest), .. "\r\nPING\r\n"u8];
        await wire.Stream.WriteAsync(connect, cancellationToken);
        while (true)
        {
            var op = await wire.ReadAsync(cancellationToken);
            switch (op.Kind)
            {
                case NatsOpKind.Pong:
                    return info;
                case NatsOpKind.Info:
                    info = ServerInfo.Parse(op.Text);
                    break;
                case NatsOpKind.Ping:
                    await wire.Stream.WriteAsync("PONG\r\n"u8.ToArray(), cancellationToken);
                    break;
                case NatsOpKind.Error:
                    throw Refusal(op.Text, endpoint);
                case NatsOpKind.Message or NatsOpKind.Ok:
                    break;
                default:
                    throw new InvalidOperationException($"no such operation: {op.Kind}");
            }
        }
    }

    private static NatsException Refusal(string error, NatsEndpoint endpoint) => IsAboutUs(error)
        ? new NatsException(NatsFault.AuthenticationFailed, $"NATS server {endpoint} refuses our credentials: {error}")
        : new NatsException(NatsFault.ServerError, $"NATS server {endpoint} refuses the connection: {error}");

    private static bool IsAboutUs(string error) =>
        error.Contains("authorization", StringComparison.OrdinalIgnoreCase) || (error.Contains("authentication", StringComparison.OrdinalIgnoreCase) && !error.Contains("timeout", StringComparison.OrdinalIgnoreCase));
}
