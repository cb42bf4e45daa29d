using AgentExecutor.Core.Events;
using StackExchange.Redis;

namespace AgentExecutor.Adapters.Redis;

/// <summary>
/// The commands for several events, which are sent with one write. The time to live of a stream is set directly after its first entry in
/// the batch, so that a crash is very unlikely to leave a stream that never expires.
/// </summary>
internal sealed class EventBatch
{
    /// <summary>The approximate size of one write.</summary>
    public const int Size = 1024 * 1024;

    private const int OverheadOfEvent = 512;

    private readonly List<(string ThreadId, StreamEvent Event)> _events = [];
    private readonly List<Command> _commands = [];
    private readonly StreamSettings _settings;
    private readonly TimeSpan _timeToLive;

    /// <summary>Adds events from this position on: at least one, and as many as fit.</summary>
    public EventBatch(IReadOnlyList<(string ThreadId, StreamEvent Event)> events, int start, StreamSettings settings)
    {
        (_settings, End) = (settings, start);
        _timeToLive = TimeSpan.FromSeconds(Math.Max(1, Math.Ceiling(settings.KeepSeconds)));
        for (long size = 0; End < events.Count && (End == start || size < Size); End++)
        {
            _events.Add(events[End]);
            size += (2L * events[End].Event.Json.Length) + OverheadOfEvent;
        }
    }

    /// <summary>The position of the first event that is not in the batch.</summary>
    public int End { get; private set; }

    /// <summary>Queues all commands and returns the task of each.</summary>
    public IReadOnlyList<Task> Queue(IDatabaseAsync database)
    {
        var commands = new List<Task>((_events.Count * 2) + OverheadOfEvent);
        var names = new Dictionary<string, (RedisKey Stream, RedisChannel Channel)>(StringComparer.Ordinal);
        for (var position = 0; position < _events.Count; position++)
        {
            var (threadId, value) = _events[position];
            var isFirst = value.Sequence == 1;
            var isNew = !names.TryGetValue(threadId, out var name);
            if (isNew)
            {
                names[threadId] = name = (RedisKeys.StreamOf(threadId), RedisKeys.ChannelOf(threadId));
            }
            void Add(CommandKind kind, Task command)
            {
                commands.Add(command);
                _commands.Add(new Command(kind, position));
            }

            if (isFirst)
            {
                Add(CommandKind.Begin, database.KeyDeleteAsync(name.Stream));
            }
            Add(
                CommandKind.Keep,
                database.StreamAddAsync(
                    name.Stream,
                    RedisKeys.Field,
                    value.Json,
                    $"{value.Sequence}-0",
                    _settings.KeepEvents,
                    useApproximateMaxLength: true
                )
            );
            if (isFirst || isNew)
            {
                Add(CommandKind.Expire, database.KeyExpireAsync(name.Stream, _timeToLive));
            }
            Add(CommandKind.Publish, database.PublishAsync(name.Channel, value.Json));
        }
        return commands;
    }

    /// <summary>
    /// Returns how many events the server has accepted. An event that was published, and not stored only because of its number, counts too.
    /// </summary>
    /// <param name="errors">The commands that failed.</param>
    /// <param name="error">The first error because of which an event was not accepted, or null.</param>
    public int Accepted(IReadOnlyList<RedisCommandError> errors, out string? error)
    {
        error = null;
        var rejected = new HashSet<int>();
        foreach (var (index, text) in errors)
        {
            var (kind, position) = _commands[index];
            if (kind == CommandKind.Keep && text.Contains("equal or smaller", StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }
            error ??= text;
            if (kind is CommandKind.Keep or CommandKind.Publish)
            {
                rejected.Add(position);
            }
        }
        return _events.Count - rejected.Count;
    }

    private enum CommandKind
    {
        Begin,
        Keep,
        Expire,
        Publish,
    }

    private readonly record struct Command(CommandKind Kind, int Position);
}
