using System.Net;
using System.Net.Sockets;
using System.Text;
using AgentExecutor.Adapters.Egress;
using AgentExecutor.Adapters.Sandbox.Linux;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>
/// The only way from a program in the sandbox to the network: an HTTP proxy on a socket file, in this process. It resolves names, refuses
/// hosts that the operator does not allow, and connects to the address that it has checked. The network namespace of the program contains
/// nothing else.
/// </summary>
internal sealed class EgressProxy : IAsyncDisposable
{
    /// <summary>The setting that allows the hosts which have public addresses.</summary>
    public const string PublicHosts = "*";

    private const int LongestHead = 16 * 1024;
    private const int MaxConnections = 64;
    private static readonly TimeSpan HeadLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(10);

    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _connections = new(MaxConnections, MaxConnections);
    private readonly AllowedHosts _hosts;
    private readonly bool _allowsPublicHosts;
    private readonly string _folder;
    private readonly TimeProvider _time;
    private Task _accepting = Task.CompletedTask;

    private EgressProxy(string hosts, TimeProvider time)
    {
        _hosts = new AllowedHosts(hosts);
        _allowsPublicHosts = hosts.Split(',', StringSplitOptions.TrimEntries).Contains(PublicHosts);
        _time = time;
        _folder = Path.Combine(Path.GetTempPath(), $"agent-executor-egress-{Guid.NewGuid():N}");
    }

    /// <summary>The socket file. Only the user of the program can connect to it.</summary>
    public string SocketPath => Path.Combine(_folder, "proxy");

    /// <summary>Starts a proxy for one program.</summary>
    /// <param name="hosts">The allowed hosts, as <c>host</c> or <c>host:port</c>, or <c>*</c>, separated by commas.</param>
    /// <param name="user">The user of the program, if it is not that of the service.</param>
    /// <param name="time">The source of time.</param>
    public static EgressProxy Start(string hosts, uint? user, TimeProvider time)
    {
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException("Programs in the sandbox need Linux.");
        }
        const UnixFileMode OnlyOwner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        const UnixFileMode MayPass = OnlyOwner | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        var proxy = new EgressProxy(hosts, time);
        // The socket is created in a folder that others cannot enter until it belongs to the user of the program.
        Directory.CreateDirectory(proxy._folder, OnlyOwner | UnixFileMode.UserExecute);
        proxy._listener.Bind(new UnixDomainSocketEndPoint(proxy.SocketPath));
        File.SetUnixFileMode(proxy.SocketPath, OnlyOwner);
        if (user is { } owner && Libc.ChangeOwner(proxy.SocketPath, owner, owner) < 0)
        {
            throw new IOException($"the socket '{proxy.SocketPath}' cannot be given to user {owner}: {Libc.LastError()}");
        }
        File.SetUnixFileMode(proxy._folder, MayPass);
        proxy._listener.Listen();
        proxy._accepting = proxy.AcceptAsync();
        return proxy;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        // Returns when all connections have ended.
        for (var connection = 0; connection < MaxConnections; connection++)
        {
            await _connections.WaitAsync();
        }
        Directory.Delete(_folder, recursive: true);
        _connections.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await _connections.WaitAsync(_stop.Token);
                var connection = await AcceptOneAsync();
                _ = ServeAsync(connection); // ends with the proxy, which waits for it
            }
            catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return; // the proxy ends
            }
        }
    }

    private async Task<Socket> AcceptOneAsync()
    {
        try
        {
            return await _listener.AcceptAsync(_stop.Token);
        }
        catch
        {
            _connections.Release();
            throw;
        }
    }

    private async Task ServeAsync(Socket connection)
    {
        try
        {
            await using var client = new NetworkStream(connection, ownsSocket: true);
            await ServeAsync(client);
        }
        catch (Exception exception) when (exception is IOException or SocketException or OperationCanceledException)
        {
            // One side has closed the connection, or the proxy ends.
        }
        finally
        {
            _connections.Release();
        }
    }

    private async Task ServeAsync(NetworkStream client)
    {
        if (await ReadHeadAsync(client) is not { } head || ProxyRequest.Parse(head) is not { } request)
        {
            await AnswerAsync(client, "400 Bad Request", "this is a proxy for HTTP");
            return;
        }
        Socket server;
        try
        {
            server = await ConnectAsync(request);
        }
        catch (EgressException refused)
        {
            await AnswerAsync(client, "403 Forbidden", refused.Message);
            return;
        }
        catch (Exception exception) when (exception is SocketException or TimeoutException)
        {
            await AnswerAsync(client, "502 Bad Gateway", $"'{request.Host}:{request.Port}' cannot be reached: {exception.Message}");
            return;
        }
        await using var stream = new NetworkStream(server, ownsSocket: true);
        if (request.Forwarded is { } forwarded)
        {
            await stream.WriteAsync(forwarded, _stop.Token);
        }
        else
        {
            await client.WriteAsync("HTTP/1.1 200 Connection established\r\n\r\n"u8.ToArray(), _stop.Token);
        }
        await Task.WhenAll(CopyAsync(client, stream), CopyAsync(stream, client));
    }

    /// <summary>Connects to an address of the host, if the operator allows the host and the address is not an internal one.</summary>
    /// <exception cref="EgressException">The host or all of its addresses are refused.</exception>
    private async Task<Socket> ConnectAsync(ProxyRequest request)
    {
        var isListed = _hosts.Contains(request.Host, request.Port);
        if (!isListed && !_allowsPublicHosts)
        {
            throw new EgressException($"programs may not connect to '{request.Host}:{request.Port}' here");
        }
        var addresses = await ResolveAsync(request.Host);
        var allowed = isListed ? addresses : Array.FindAll(addresses, PublicAddress.IsPublic);
        if (allowed.Length == 0)
        {
            throw new EgressException($"'{request.Host}' has no public address, and programs may not connect to others here");
        }
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, request.Port, _stop.Token).AsTask().WaitAsync(ConnectLimit, _time, _stop.Token);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<IPAddress[]> ResolveAsync(string host)
    {
        try
        {
            return await Dns.GetHostAddressesAsync(host, _stop.Token).WaitAsync(ConnectLimit, _time, _stop.Token);
        }
        catch (ArgumentException)
        {
            throw new EgressException($"'{host}' is not the name or the address of a host");
        }
    }

    /// <summary>Reads byte by byte up to the empty line, because what follows is for the server. Returns null if there is none.</summary>
    private async Task<string?> ReadHeadAsync(NetworkStream client)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        using var timer = _time.CreateTimer(_ => limit.Cancel(), null, HeadLimit, Timeout.InfiniteTimeSpan);
        var head = new StringBuilder();
        var next = new byte[1];
        while (head.Length < LongestHead && await client.ReadAsync(next, limit.Token) == 1)
        {
            head.Append((char)next[0]);
            if (next[0] == '\n' && head.Length >= 4 && head.ToString(head.Length - 4, 4) == "\r\n\r\n")
            {
                return head.ToString(0, head.Length - 4);
            }
        }
        return null;
    }

    private async Task CopyAsync(NetworkStream from, NetworkStream to)
    {
        try
        {
            await from.CopyToAsync(to, _stop.Token);
        }
        finally
        {
            // The other direction may go on, until its side closes the connection too.
            to.Socket.Shutdown(SocketShutdown.Send);
        }
    }

    private async Task AnswerAsync(NetworkStream client, string status, string reason)
    {
        var body = Encoding.UTF8.GetBytes(reason + "\n");
        var head = $"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n";
        await client.WriteAsync((byte[])[.. Encoding.ASCII.GetBytes(head), .. body], _stop.Token);
    }
}
