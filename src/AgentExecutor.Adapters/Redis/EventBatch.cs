using System.Buffers;
using AgentExecutor.Adapters.Redis.Protocol;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Adapters.Redis;

/// <summary>
/// The commands for some events, to be written at once. A stream's time to live is set right behind its first entry of the batch, so that hardly any crash can
/// leave one that stays for ever.
/// </summary>
internal sealed class EventBatch
{
    /// <summary>About what one write is to hold.</summary>
    public const int Size = 1024 * 1024;

    private const int OverheadOfEvent = 512;

    private readonly IReadOnlyList<(string ThreadId, StreamEvent Event)> _events;
    private readonly StreamSettings _settings;
    private readonly long _keepSeconds;
    private readonly List<Command> _commands = [];
    private readonly int _start;

    /// <summary>Takes events from a place on, at least one and as many as fit.</summary>
    public EventBatch(IReadOnlyList<(string ThreadId, StreamEvent Event)> events, int start, StreamSettings settings)
    {
        (_events, _settings, _start, End) = (events, settings, start, start);
        _keepSeconds = Math.Max(1, (long)Math.Ceiling(settings.KeepSeconds));
        var threads = new HashSet<string>(StringComparer.Ordinal);
        for (long size = 0; End < events.Count && (End == start || size < Size); End++)
        {
            var (threadId, value) = events[End];
            size += (2L * value.Json.Length) + OverheadOfEvent;
            Add(threads, threadId, value.Sequence == 1);
        }
    }

    /// <summary>The place of the first event that is not in it.</summary>
    public int End { get; private set; }

    public int Commands => _commands.Count;

    public void Write(IBufferWriter<byte> output)
    {
        foreach (var (verb, place) in _commands)
        {
            var (threadId, value) = _events[place];
            var writer = new RespWriter(output.GetSpan((RespWriter.Overhead * 12) + RespWriter.SizeOf(threadId) + value.Json.Length));
            Write(ref writer, verb, threadId, value);
            output.Advance(writer.Written);
        }
    }

    /// <summary>How many events the server took: published and kept, or not kept for their number alone.</summary>
    /// <param name="error">Why one was not.</param>
    public int Taken(IReadOnlyList<RespError> errors, out string? error)
    {
        error = null;
        var refused = new HashSet<int>();
        foreach (var (index, text) in errors)
        {
            var (verb, place) = _commands[index];
            if (verb == Verb.Keep && text.Contains("equal or smaller", StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }
            error ??= text;
            if (verb is Verb.Keep or Verb.Publish)
            {
                refused.Add(place);
            }
        }
        return End - _start - refused.Count;
    }

    private void Add(HashSet<string> threads, string threadId, bool isFirst)
    {
        if (isFirst)
        {
            _commands.Add(new Command(Verb.Begin, End));
        }
        _commands.Add(new Command(Verb.Keep, End));
        if (threads.Add(threadId) || isFirst)
        {
            _commands.Add(new Command(Verb.Expire, End));
        }
        _commands.Add(new Command(Verb.Publish, End));
    }

    private void Write(ref RespWriter writer, Verb verb, string threadId, in StreamEvent value)
    {
        switch (verb)
        {
            case Verb.Begin:
                writer.Begin(2);
                writer.Bulk("DEL"u8);
                writer.Bulk(RedisKeys.Stream, threadId);
                break;
            case Verb.Keep:
                writer.Begin(8);
                writer.Bulk("XADD"u8);
                writer.Bulk(RedisKeys.Stream, threadId);
                writer.Bulk("MAXLEN"u8);
                writer.Bulk("~"u8);
                writer.Bulk(_settings.KeepEvents);
                writer.Bulk(value.Sequence, "-0"u8);
                writer.Bulk(RedisKeys.Field);
                writer.Bulk(value.Json.Span);
                break;
            case Verb.Expire:
                writer.Begin(3);
                writer.Bulk("EXPIRE"u8);
                writer.Bulk(RedisKeys.Stream, threadId);
                writer.Bulk(_keepSeconds);
                break;
            case Verb.Publish:
                writer.Begin(3);
                writer.Bulk("PUBLISH"u8);
                writer.Bulk(RedisKeys.Channel, threadId);
                writer.Bulk(value.Json.Span);
                break;
            default:
                throw new InvalidOperationException($"no such verb: {verb}");
        }
    }

    private enum Verb
    {
        Begin,
        Keep,
        Expire,
        Publish,
    }

    private readonly record struct Command(Verb Verb, int Place);
}

/// <summary>The names that other systems know.</summary>
internal static class RedisKeys
{
    public static ReadOnlySpan<byte> Channel => "langgraph:stream:"u8;

    public static ReadOnlySpan<byte> Stream => "langgraph:events:"u8;

    /// <summary>The field of a stream's entry that holds the JSON.</summary>
    public static ReadOnlySpan<byte> Field => "event"u8;

    public static string ChannelOf(string threadId) => $"langgraph:stream:{threadId}";

    public static string StreamOf(string threadId) => $"langgraph:events:{threadId}";
}
