using System.IO.Pipelines;
using System.Net.Sockets;
using AgentExecutor.Adapters.Connections;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>What a link tells whoever opened it, on its reading loop: so none of these may block or throw.</summary>
internal sealed record LinkEvents(Action<NatsMessage> Message, Action<ServerInfo, NatsEndpoint> Info, Action<string> Error);

/// <summary>
/// One connection to one server, from the end of its handshake to its end. Three loops run: one reads, one writes, one sends PINGs. The first to end ends
/// the other two, and <see cref="Completion"/> says why. A link is never mended; the next one takes its place.
/// </summary>
internal sealed class NatsLink : IAsyncDisposable
{
    private const int OutputLimit = 2 * 1024 * 1024;
    private const int MissedPongs = 2;

    private readonly Stream _stream;
    private readonly PipeReader _reader;
    private readonly NatsParser _parser;
    private readonly LinkEvents _events;
    private readonly OutgoingBuffer _output = new(OutputLimit);
    private readonly CancellationTokenSource _ending = new();
    private readonly TaskCompletionSource _lameDuck = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _pingGate = new();
    private readonly Queue<TaskCompletionSource> _pings = [];
    private string? _lastError;
    private int _reads;

    public NatsLink(NatsWire wire, ServerInfo info, NatsEndpoint endpoint, LinkEvents events, (TimeProvider Clock, TimeSpan Period) ping, CancellationToken lifetime)
    {
        (_stream, _reader, _parser, _events) = (wire.Stream, wire.Reader, wire.Parser, events);
        (Info, Endpoint) = (info, endpoint);
        Completion = RunAsync(ping.Clock, ping.Period, lifetime);
    }

    public ServerInfo Info { get; private set; }

    public NatsEndpoint Endpoint { get; }

    /// <summary>Ends when the link does, with the reason; never faulted.</summary>
    public Task<NatsException> Completion { get; }

    /// <summary>Ends when the server says that it is about to stop.</summary>
    public Task LameDuck => _lameDuck.Task;

    /// <summary>False where too much waits to be written: then <see cref="SpaceAsync"/>.</summary>
    public bool TryPublish(in PublishFrame frame)
    {
        if (frame.Size > Info.MaxPayload)
        {
            throw new NatsException(NatsFault.PayloadTooLarge, $"a message of {frame.Size} bytes on {frame.Subject} is larger than the {Info.MaxPayload} that the NATS server takes");
        }
        if (!frame.Headers.IsEmpty && !Info.Headers)
        {
            throw new NatsException(NatsFault.InvalidArgument, "the NATS server takes no headers");
        }
        return _output.TryWrite(frame, Frames.Publish);
    }

    public Task SpaceAsync(CancellationToken cancellationToken) => _output.SpaceAsync(cancellationToken);

    /// <summary>Sends a command ahead of no other, but without waiting for room; false where the link has ended.</summary>
    public bool TrySend(string line)
    {
        try
        {
            return _output.TryWrite(line, Frames.Line, isUrgent: true);
        }
        catch (NatsException)
        {
            return false;
        }
    }

    /// <summary>Returns when the server has seen all that was sent before, and we all that it sent before it answered.</summary>
    /// <exception cref="NatsException">The link ended first.</exception>
    public Task PingAsync(CancellationToken cancellationToken) => SendPing().WaitAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await Completion;
    }

    private async Task<NatsException> RunAsync(TimeProvider time, TimeSpan pingPeriod, CancellationToken lifetime)
    {
        using var ending = lifetime.Register(_ending.Cancel);
        Task[] loops = [ReadAsync(), WriteAsync(), KeepAliveAsync(time, pingPeriod)];
        var fault = FaultOf((await Task.WhenAny(loops)).Exception?.InnerException);
        _output.Close(() => new NatsException(fault.Fault, fault.Message, fault));
        await _ending.CancelAsync();
        await _stream.DisposeAsync();
        await Task.WhenAny(Task.WhenAll(loops)); // not awaited itself: what the other two threw on their way out says nothing new
        EndPings(fault);
        _output.Dispose();
        return fault;
    }

    private NatsException FaultOf(Exception? exception) => exception switch
    {
        _ when _lastError is { } error => new NatsException(NatsFault.Disconnected, $"the NATS server ended the connection: {error}"),
        NatsException fault => fault,
        null or OperationCanceledException => new NatsException(NatsFault.Closed, "the connection to NATS was closed"),
        SocketException or IOException => new NatsException(NatsFault.Disconnected, $"the connection to NATS was lost: {exception.Message}", exception),
        _ => new NatsException(NatsFault.Disconnected, $"the connection to NATS failed: {exception.Message}", exception),
    };

    private async Task ReadAsync()
    {
        await Task.Yield(); // data that is always there must not hold up whoever opened the link
        while (true)
        {
            var read = await _reader.ReadAsync(_ending.Token);
            Interlocked.Increment(ref _reads);
            var buffer = read.Buffer;
            while (_parser.TryRead(ref buffer, out var op))
            {
                Handle(op);
            }
            _reader.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
            {
                throw new NatsException(NatsFault.Disconnected, "the NATS server closed the connection");
            }
        }
    }

    private void Handle(in NatsOp op)
    {
        switch (op.Kind)
        {
            case NatsOpKind.Message:
                _events.Message(op.Message!);
                break;
            case NatsOpKind.Ping:
                TrySend("PONG");
                break;
            case NatsOpKind.Pong:
                PongCame();
                break;
            case NatsOpKind.Info:
                InfoCame(ServerInfo.Parse(op.Text));
                break;
            case NatsOpKind.Error:
                ErrorCame(op.Text);
                break;
            case NatsOpKind.Ok:
                break;
            default:
                throw new InvalidOperationException($"no such operation: {op.Kind}");
        }
    }

    private void InfoCame(ServerInfo info)
    {
        Info = info;
        _events.Info(info, Endpoint);
        if (info.IsLameDuck)
        {
            _lameDuck.TrySetResult();
        }
    }

    /// <summary>After an error the server closes the connection, but not after one about a subject.</summary>
    private void ErrorCame(string error)
    {
        if (!error.StartsWith("Permissions Violation", StringComparison.OrdinalIgnoreCase) && !error.StartsWith("Invalid Subject", StringComparison.OrdinalIgnoreCase))
        {
            _lastError = error;
        }
        _events.Error(error);
    }

    private async Task WriteAsync()
    {
        await Task.Yield();
        while (true)
        {
            await _stream.WriteAsync(await _output.TakeAsync(_ending.Token), _ending.Token);
        }
    }

    /// <summary>A PONG may be far behind in what the server sends, or we behind in reading: while anything comes, it is not dead.</summary>
    private async Task KeepAliveAsync(TimeProvider time, TimeSpan period)
    {
        using var timer = new PeriodicTimer(period, time);
        var seen = 0;
        while (await timer.WaitForNextTickAsync(_ending.Token))
        {
            var reads = Volatile.Read(ref _reads);
            if (Unanswered() >= MissedPongs && reads == seen)
            {
                throw new NatsException(NatsFault.Disconnected, "the NATS server does not answer");
            }
            seen = reads;
            _ = SendPing();
        }
    }

    private int Unanswered()
    {
        lock (_pingGate)
        {
            return _pings.Count;
        }
    }

    private Task SendPing()
    {
        var ping = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_pingGate)
        {
            _output.TryWrite("PING", Frames.Line, isUrgent: true);
            _pings.Enqueue(ping);
        }
        return ping.Task;
    }

    private void PongCame()
    {
        lock (_pingGate)
        {
            if (_pings.TryDequeue(out var ping))
            {
                ping.TrySetResult();
            }
        }
    }

    private void EndPings(NatsException fault)
    {
        lock (_pingGate)
        {
            while (_pings.TryDequeue(out var ping))
            {
                ping.TrySetException(new NatsException(fault.Fault, fault.Message, fault));
                _ = ping.Task.Exception; // seen, also where nobody waits: the keep-alive's own
            }
        }
    }
}
