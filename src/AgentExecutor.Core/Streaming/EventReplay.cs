using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Threads;

namespace AgentExecutor.Core.Streaming;

/// <summary>
/// Recreates events from the log exactly as they were published. A state update in the log only refers to its checkpoint, from which the
/// channels of the update are read. If the checkpoint was pruned, the update has no channels.
/// </summary>
public sealed class EventReplay(IEventLog log, ICheckpointStore checkpoints, IRunStore runs, StreamState form)
{
    /// <summary>The maximum size of a page in bytes, because states can be large.</summary>
    private const int MaxBytes = 4 * 1024 * 1024;

    public IEventLog Log => log;

    /// <summary>
    /// Returns the events of the page with numbers greater than <paramref name="after"/>, in order, and whether the page was cut because it
    /// would have been too large.
    /// </summary>
    /// <param name="threadId">The thread.</param>
    /// <param name="page">A page of the thread's log.</param>
    /// <param name="after">Events up to this number are omitted.</param>
    /// <param name="known">Events that are available as they were published, by number. They are not recreated.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    public async ValueTask<(List<StreamEvent> Events, bool IsCut)> ReadAsync(
        string threadId,
        LogPage page,
        long after,
        IReadOnlyDictionary<long, StreamEvent> known,
        CancellationToken cancellationToken
    )
    {
        var logged = Parse(page, after);
        var updates = logged.Where(it => it.Type == EventKinds.StateUpdate && !known.ContainsKey(it.Sequence)).ToList();
        var changes = await ReadChangesAsync(threadId, updates.Where(it => !IsWhole(it)), cancellationToken);
        var channels = new Lazy<Task<ChannelSet?>>(() => ChannelsOfAsync(threadId, cancellationToken));
        var events = new List<StreamEvent>(logged.Count);
        long bytes = 0;
        foreach (var it in logged)
        {
            if (bytes >= MaxBytes)
            {
                return (events, true);
            }
            if (known.TryGetValue(it.Sequence, out var published) && !published.IsSuperseded(it.Attempt))
            {
                events.Add(published);
            }
            else if (it.Type != EventKinds.StateUpdate)
            {
                var json = JsonMarshal.GetRawUtf8Value(it.Json).ToArray();
                events.Add(new StreamEvent(it.Sequence, it.Type, json) { Attempt = it.Attempt });
            }
            else
            {
                events.Add(
                    Encode(
                        it,
                        IsWhole(it)
                            ? await ReadStateAsync(threadId, it, channels, cancellationToken)
                            : changes.GetValueOrDefault(it.Checkpoint, [])
                    )
                );
            }
            bytes += events[^1].Json.Length;
        }
        return (events, false);
    }

    /// <summary>
    /// The events of a commit that was cancelled but took effect nevertheless are repeated in the next commit. They count once.
    /// </summary>
    private static List<Logged> Parse(LogPage page, long after)
    {
        var logged = new List<Logged>();
        foreach (var json in page.Commits.SelectMany(static commit => StoredJson.Parse(commit.Json.Span).EnumerateArray()))
        {
            var it = new Logged(json);
            if (it.Sequence > (logged.Count > 0 ? logged[^1].Sequence : after))
            {
                logged.Add(it);
            }
        }
        return logged;
    }

    /// <summary>Returns true if the event contained the whole state.</summary>
    private bool IsWhole(Logged it) => it.IsFinal || (form == StreamState.Values && it.Checkpoint.Namespace.Length == 0);

    private static StreamEvent Encode(Logged it, ImmutableArray<ChannelUpdate> channels) =>
        new(
            it.Sequence,
            it.Type,
            JsonBytes.Write((it.Json, channels), static (writer, parts) => RunEventJson.WriteReplayed(writer, parts.Json, parts.channels))
        )
        {
            Attempt = it.Attempt,
        };

    private async ValueTask<Dictionary<CheckpointKey, ImmutableArray<ChannelUpdate>>> ReadChangesAsync(
        string threadId,
        IEnumerable<Logged> updates,
        CancellationToken cancellationToken
    )
    {
        var wholes = updates.GroupBy(it => it.Checkpoint).ToDictionary(group => group.Key, group => group.First().Wholes);
        return wholes.Count == 0
            ? []
            : (await log.ReadChangesAsync(threadId, [.. wholes.Keys], cancellationToken)).ToDictionary(
                it => it.Checkpoint,
                it => Channels(it, wholes[it.Checkpoint])
            );
    }

    /// <summary>Returns the writes to each channel, or else its value, as <see cref="StepFold.Changes"/> published them.</summary>
    private static ImmutableArray<ChannelUpdate> Channels(StoredChange change, HashSet<string> wholes)
    {
        var writes = change.Writes.ToLookup(write => write.Channel, write => write.Json);
        var values = change.Values.ToLookup(value => value.Channel, value => value.Json);
        return
        [
            .. change
                .Updated.Select(channel => new ChannelUpdate(
                    channel,
                    wholes.Contains(channel) || !writes.Contains(channel) ? [.. values[channel].Take(1)] : [.. writes[channel]]
                ))
                .Where(update => !update.Json.IsEmpty),
        ];
    }

    private async ValueTask<ImmutableArray<ChannelUpdate>> ReadStateAsync(
        string threadId,
        Logged it,
        Lazy<Task<ChannelSet?>> channels,
        CancellationToken cancellationToken
    )
    {
        var loaded = await checkpoints.LoadAsync(threadId, it.Checkpoint.Namespace, it.Checkpoint.Id, cancellationToken);
        return loaded is not null && await channels.Value is { } known ? ChannelUpdate.Whole(ThreadReader.Read(loaded, known).State) : [];
    }

    /// <summary>Returns null if there is no such thread.</summary>
    private async Task<ChannelSet?> ChannelsOfAsync(string threadId, CancellationToken cancellationToken) =>
        await runs.FindAsync(threadId, cancellationToken) is { } run
            ? await new ThreadReader(checkpoints, runs).ChannelsOfAsync(run, cancellationToken)
            : null;

    /// <summary>An event as stored in the log.</summary>
    private readonly struct Logged(JsonElement json)
    {
        private readonly JsonElement _data = json.GetProperty("data"u8);

        public JsonElement Json { get; } = json;

        public long Sequence { get; } = json.GetProperty("seq"u8).GetInt64();

        public string Type { get; } = json.GetProperty("event_type"u8).GetString()!;

        public long Attempt { get; } = json.TryGetProperty("attempt"u8, out var attempt) ? attempt.GetInt64() : 0;

        public bool IsFinal => _data.TryGetProperty("final"u8, out var isFinal) && isFinal.GetBoolean();

        public CheckpointKey Checkpoint => new(_data.TextProperty("ns") ?? "", _data.TextProperty("checkpoint_id") ?? "");

        public HashSet<string> Wholes =>
            [.. _data.Property(RunEventJson.WholeMember)?.EnumerateArray().Select(static name => name.GetString()!) ?? []];
    }
}
