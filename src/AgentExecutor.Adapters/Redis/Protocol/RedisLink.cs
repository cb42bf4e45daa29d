using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using AgentExecutor.Adapters.Connections;

namespace AgentExecutor.Adapters.Redis.Protocol;

/// <summary>How a link is watched over.</summary>
/// <param name="Patience">Silence after a request, after which the server is taken for dead.</param>
/// <param name="Ping">Silence after which it is asked.</param>
internal sealed record LinkWatch(TimeProvider Time, TimeSpan Patience, TimeSpan Ping);

/// <summary>
/// One connection to the server, from the end of its handshake to its end. Three loops run: one reads, one writes, one watches for silence. The first to end
/// ends the other two, and <see cref="Completion"/> says why. Answers come in the order of the commands; what was under way when it ends fails. A link is never
/// mended; the next one takes its place.
/// </summary>
internal sealed class RedisLink : IAsyncDisposable
{
    private const int OutputLimit = 2 * 1024 * 1024;
    private const int WriteSize = 64 * 1024;
    private const int Ticks = 8;
    private const int TrialFactor = 5;

    private readonly Stream _stream;
    private readonly PipeReader _reader;
    private readonly RespParser _parser;
    private readonly Action<RespValue>? _message;
    private readonly OutgoingBuffer _output = new(OutputLimit);
    private readonly CancellationTokenSource _ending = new();
    private readonly Lock _gate = new();
    private readonly Queue<RespReplies> _waiting = [];
    private readonly LinkWatch _watch;
    private readonly long _since;
    private RespReplies? _current;
    private long _asked;
    private long _answered;
    private long _signs;

    /// <param name="message">Takes the messages of channels, on the reading loop; null on a link that does not subscribe.</param>
    public RedisLink(RedisGreeting greeting, LinkWatch watch, Action<RespValue>? message, CancellationToken lifetime)
    {
        (_stream, _reader, _parser, _message) = (greeting.Wire.Stream, greeting.Wire.Reader, greeting.Wire.Parser, message);
        (_watch, _since) = (watch, watch.Time.GetTimestamp());
        Completion = RunAsync(lifetime);
    }

    /// <summary>Ends when the link does, with the reason; never faulted.</summary>
    public Task<RedisException> Completion { get; }

    /// <summary>Sends commands; false where too much waits to be written: then <see cref="SpaceAsync"/>.</summary>
    /// <param name="encode">Writes as many commands as there are <paramref name="replies"/>.</param>
    /// <exception cref="RedisException">The link has ended.</exception>
    public bool TrySend<T>(T commands, Action<IBufferWriter<byte>, T> encode, RespReplies replies, bool isUrgent = false) => _output.TryWrite(
        (Link: this, commands, encode, replies),
        static (output, frame) =>
        {
            frame.encode(output, frame.commands);
            frame.Link.Expect(frame.replies); // under the buffer's lock: the order of answers is that of what is written
        },
        isUrgent);

    public Task SpaceAsync(CancellationToken cancellationToken) => _output.SpaceAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await Completion;
    }

    private void Expect(RespReplies replies)
    {
        lock (_gate)
        {
            _waiting.Enqueue(replies);
            _asked++;
        }
    }

    private async Task<RedisException> RunAsync(CancellationToken lifetime)
    {
        using var ending = lifetime.Register(_ending.Cancel);
        Task[] loops = [ReadAsync(), WriteAsync(), WatchAsync()];
        var fault = FaultOf((await Task.WhenAny(loops)).Exception?.InnerException);
        _output.Close(fault.Again);
        await _ending.CancelAsync();
        await _stream.DisposeAsync();
        await Task.WhenAny(Task.WhenAll(loops)); // not awaited itself: what the other two threw on their way out says nothing new
        FailAll(fault);
        _output.Dispose();
        return fault;
    }

    private static RedisException FaultOf(Exception? exception) => exception switch
    {
        RedisException fault => fault,
        null or OperationCanceledException => new RedisException(RedisFault.Closed, "the connection to Redis was closed"),
        SocketException or IOException => new RedisException(RedisFault.Disconnected, $"the connection to Redis was lost: {exception.Message}", exception),
        _ => new RedisException(RedisFault.Disconnected, $"the connection to Redis failed: {exception.Message}", exception),
    };

    private void FailAll(RedisException fault)
    {
        _current?.Fail(fault);
        lock (_gate)
        {
            while (_waiting.TryDequeue(out var replies))
            {
                replies.Fail(fault);
            }
        }
    }

    private async Task ReadAsync()
    {
        await Task.Yield(); // data that is always there must not hold up whoever opened the link
        while (true)
        {
            var read = await _reader.ReadAsync(_ending.Token);
            Interlocked.Increment(ref _signs);
            var buffer = read.Buffer;
            while (!buffer.IsEmpty && _parser.TryRead(ref buffer, IsNextKept(), out var value))
            {
                Handle(value);
            }
            _reader.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
            {
                throw new RedisException(RedisFault.Disconnected, "the Redis server closed the connection");
            }
        }
    }

    private bool IsNextKept() => _message is not null || (_current ??= Next()) is not { IsKept: false };

    private RespReplies? Next()
    {
        lock (_gate)
        {
            return _waiting.TryDequeue(out var replies) ? replies : null;
        }
    }

    private void Handle(RespValue? value)
    {
        if (value is not null && IsMessage(value))
        {
            _message?.Invoke(value);
            return;
        }
        if ((_current ??= Next()) is not { } replies)
        {
            throw new RedisException(RedisFault.Protocol, value is { IsError: true } ? $"the Redis server says: {value.Text}" : "the Redis server sent an answer to nothing");
        }
        replies.Take(value);
        if (replies.Remaining == 0)
        {
            _current = null;
            Interlocked.Increment(ref _answered);
        }
        LeaveIfDemoted(value);
    }

    /// <summary>
    /// After a failover the server's name may lead to another one, while this one, now a replica, refuses every write for as long as we stay. A link that is still young is kept:
    /// where the name leads here again, it is not to be made anew all the time.
    /// </summary>
    private void LeaveIfDemoted(RespValue? value)
    {
        if (value is { IsError: true } && value.Bytes.Span.StartsWith("READONLY"u8) && _watch.Time.GetElapsedTime(_since) > _watch.Patience * TrialFactor)
        {
            throw new RedisException(RedisFault.Disconnected, $"the Redis server became a replica: {value.Text}");
        }
    }

    /// <summary>What comes without being an answer. In RESP2 messages of channels look as answers do, and only a link that subscribes gets them.</summary>
    private bool IsMessage(RespValue value)
    {
        if (value.Kind != RespKind.Push && (_message is null || value.Kind != RespKind.Array))
        {
            return false;
        }
        var kind = value.Items is [var first, ..] ? first.Bytes.Span : default;
        return value.Kind == RespKind.Push
            ? !kind.EndsWith("subscribe"u8) // the answer to a (P)(UN)SUBSCRIBE is a push too
            : kind.SequenceEqual("message"u8) || kind.SequenceEqual("pmessage"u8);
    }

    private async Task WriteAsync()
    {
        await Task.Yield();
        while (true)
        {
            var rest = await _output.TakeAsync(_ending.Token);
            for (; rest.Length > WriteSize; rest = rest[WriteSize..])
            {
                await _stream.WriteAsync(rest[..WriteSize], _ending.Token);
                Interlocked.Increment(ref _signs);
            }
            await _stream.WriteAsync(rest, _ending.Token);
        }
    }

    /// <summary>
    /// A server is dead that owes an answer and for a while neither says anything nor takes any more of a large write. The last piece of a write is no sign of life: the
    /// system takes small ones on behalf of a server that hangs.
    /// </summary>
    private async Task WatchAsync()
    {
        var period = _watch.Patience / Ticks;
        using var timer = new PeriodicTimer(period, _watch.Time);
        var (seen, owedSince, quiet, idle) = (0L, -1L, 0, 0);
        while (await timer.WaitForNextTickAsync(_ending.Token))
        {
            var (signs, owed) = (Interlocked.Read(ref _signs), Owed());
            quiet = owed >= 0 && owed == owedSince && signs == seen ? quiet + 1 : 0;
            idle = signs == seen ? idle + 1 : 0;
            (seen, owedSince) = (signs, owed);
            if (quiet >= Ticks)
            {
                throw new RedisException(RedisFault.Disconnected, $"the Redis server has not answered for {_watch.Patience.TotalSeconds} s");
            }
            if (owed < 0 && idle * period >= _watch.Ping)
            {
                idle = 0;
                TrySend(0, static (output, _) => RespWriter.Write(output, "PING"), new NoReply(), isUrgent: true);
            }
        }
    }

    /// <summary>Which answer is due next; -1 where none is.</summary>
    private long Owed()
    {
        lock (_gate)
        {
            var answered = Interlocked.Read(ref _answered);
            return _asked > answered ? answered : -1;
        }
    }
}
