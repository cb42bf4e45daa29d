using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Events;

/// <summary>
/// Makes events of what the log stores, the same as they were told. A state update in the log names its checkpoint alone: the channels that it carried are read from there. Where
/// the checkpoint was pruned, it carries none.
/// </summary>
public sealed class EventReplay(IEventLog log, ICheckpointStore checkpoints, IRunStore runs, CompiledAgents agents, StreamState form)
{
    /// <summary>Bytes of one page: states may be large.</summary>
    private const int MostBytes = 4 * 1024 * 1024;

    public IEventLog Log => log;

    /// <summary>The page's events with greater numbers than <paramref name="after"/>, in order, and whether it was cut before its end, for it would have been too large.</summary>
    /// <param name="threadId">The thread.</param>
    /// <param name="page">A page of its log.</param>
    /// <param name="after">Events up to this number are left out.</param>
    /// <param name="known">Events that are at hand as they were told, by number: these are not made again.</param>
    /// <param name="cancellationToken">Breaks it off.</param>
    public async ValueTask<(List<StreamEvent> Events, bool IsCut)> ReadAsync(
        string threadId, LogPage page, long after, IReadOnlyDictionary<long, StreamEvent> known, CancellationToken cancellationToken)
    {
        var logged = Parse(page, after);
        var updates = logged.Where(it => it.Type == EventKinds.StateUpdate && !known.ContainsKey(it.Sequence)).ToList();
        var changes = await ReadChangesAsync(threadId, updates.Where(it => !IsWhole(it)), cancellationToken);
        var channels = new Lazy<Task<ChannelSet?>>(() => ChannelsOfAsync(threadId, cancellationToken));
        var events = new List<StreamEvent>(logged.Count);
        long bytes = 0;
        foreach (var it in logged)
        {
            if (bytes >= MostBytes)
            {
                return (events, true);
            }
            events.Add(known.TryGetValue(it.Sequence, out var told) ? told
                : it.Type != EventKinds.StateUpdate ? new StreamEvent(it.Sequence, it.Type, JsonMarshal.GetRawUtf8Value(it.Json).ToArray())
                : Encode(it, IsWhole(it) ? await ReadStateAsync(threadId, it, channels, cancellationToken) : changes.GetValueOrDefault(it.Checkpoint, [])));
            bytes += events[^1].Json.Length;
        }
        return (events, false);
    }

    /// <summary>A commit that was broken off and took effect all the same has its events again in the next one: they count once.</summary>
    private static List<Logged> Parse(LogPage page, long after)
    {
        var logged = new List<Logged>();
        foreach (var json in page.Commits.SelectMany(static commit => JsonElement.Parse(commit.Json.Span).EnumerateArray()))
        {
            var it = new Logged(json);
            if (it.Sequence > (logged.Count > 0 ? logged[^1].Sequence : after))
            {
                logged.Add(it);
            }
        }
        return logged;
    }

    /// <summary>It carried the whole state.</summary>
    private bool IsWhole(Logged it) => it.IsFinal || (form == StreamState.Values && it.Checkpoint.Namespace.Length == 0);

    private static StreamEvent Encode(Logged it, ImmutableArray<ChannelUpdate> channels) => new(
        it.Sequence, it.Type, JsonBytes.Write((it.Json, channels), static (writer, told) => RunEventJson.WriteReplayed(writer, told.Json, told.channels)));

    private async ValueTask<Dictionary<CheckpointKey, ImmutableArray<ChannelUpdate>>> ReadChangesAsync(
        string threadId, IEnumerable<Logged> updates, CancellationToken cancellationToken)
    {
        var wholes = updates.GroupBy(it => it.Checkpoint).ToDictionary(told => told.Key, told => told.First().Wholes);
        return wholes.Count == 0 ? []
            : (await log.ReadChangesAsync(threadId, [.. wholes.Keys], cancellationToken)).ToDictionary(it => it.Checkpoint, it => Channels(it, wholes[it.Checkpoint]));
    }

    /// <summary>Of each channel the writes, or else its value: what <see cref="StepFold.Changes"/> told.</summary>
    private static ImmutableArray<ChannelUpdate> Channels(StoredChange change, HashSet<string> wholes)
    {
        var writes = change.Writes.ToLookup(write => write.Channel, write => write.Json);
        var values = change.Values.ToLookup(value => value.Channel, value => value.Json);
        return [.. change.Updated
            .Select(channel => new ChannelUpdate(channel, wholes.Contains(channel) || !writes.Contains(channel) ? [.. values[channel].Take(1)] : [.. writes[channel]]))
            .Where(update => !update.Json.IsEmpty)];
    }

    private async ValueTask<ImmutableArray<ChannelUpdate>> ReadStateAsync(string threadId, Logged it, Lazy<Task<ChannelSet?>> channels, CancellationToken cancellationToken)
    {
        var loaded = await checkpoints.LoadAsync(threadId, it.Checkpoint.Namespace, it.Checkpoint.Id, cancellationToken);
        return loaded is not null && await channels.Value is { } known ? ChannelUpdate.Whole(CheckpointReader.Read(loaded, known).State) : [];
    }

    /// <summary>Null where the definition does not compile any more: other tools, other providers.</summary>
    private async Task<ChannelSet?> ChannelsOfAsync(string threadId, CancellationToken cancellationToken)
    {
        try
        {
            return await runs.FindAsync(threadId, cancellationToken) is { } run && await runs.FindDefinitionAsync(run.DefinitionHash, cancellationToken) is { } definition
                ? agents.Get(definition.Json).Graph.Channels
                : null;
        }
        catch (FaultException fault) when (fault.Code != FaultCodes.StoreUnavailable)
        {
            return null;
        }
    }

    /// <summary>An event as the log has it.</summary>
    private readonly struct Logged(JsonElement json)
    {
        private readonly JsonElement _data = json.GetProperty("data"u8);

        public JsonElement Json { get; } = json;

        public long Sequence { get; } = json.GetProperty("seq"u8).GetInt64();

        public string Type { get; } = json.GetProperty("event_type"u8).GetString()!;

        public bool IsFinal => _data.TryGetProperty("final"u8, out var isFinal) && isFinal.GetBoolean();

        public CheckpointKey Checkpoint => new(_data.TextProperty("ns") ?? "", _data.TextProperty("checkpoint_id") ?? "");

        public HashSet<string> Wholes => [.. _data.Property(RunEventJson.WholeMember)?.EnumerateArray().Select(static name => name.GetString()!) ?? []];
    }
}
