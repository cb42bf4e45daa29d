using System.Collections.Immutable;

namespace AgentExecutor.Core.Checkpoints;

/// <summary>A checkpoint as it is stored: its id, its parent and the versions of its channels. The values are stored separately.</summary>
public sealed record StoredCheckpoint
{
    public required string ThreadId { get; init; }

    /// <summary>Empty for the root graph, and <c>node:task_id</c> for a sub-graph. Nested sub-graphs are separated by <c>|</c>.</summary>
    public required string Namespace { get; init; }

    /// <summary>An id that sorts by time within the thread and namespace.</summary>
    public required string Id { get; init; }

    public string? ParentId { get; init; }

    public string RunId { get; init; } = "";

    /// <summary>-1 for the first input, 0 for the first superstep, and one more for each further step.</summary>
    public int Step { get; init; }

    public CheckpointSource Source { get; init; }

    public DateTimeOffset Time { get; init; }

    /// <summary>All channels that have a value, with their versions.</summary>
    public ImmutableArray<ChannelVersion> Channels { get; init; } = [];

    /// <summary>The channels that this superstep changed.</summary>
    public ImmutableArray<string> Updated { get; init; } = [];

    /// <summary>The tasks to execute next, as UTF-8 JSON: a list of <c>{"node", "argument"?}</c>.</summary>
    public ReadOnlyMemory<byte> Due { get; init; }
}

/// <summary>The version of a channel at a checkpoint.</summary>
/// <param name="Name">The channel.</param>
/// <param name="Version">The version, which grows with each change.</param>
/// <param name="IsDelta">True if the value is rebuilt from the newest stored value and the writes since then.</param>
/// <param name="Updates">
/// For a delta channel, the number of updates since its whole value was stored. 0 if it is stored at this version.
/// </param>
/// <param name="Supersteps">For a delta channel, the number of supersteps since then, with or without an update.</param>
public readonly record struct ChannelVersion(string Name, int Version, bool IsDelta = false, int Updates = 0, int Supersteps = 0);

/// <summary>A whole channel value.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="Version">The version of the value.</param>
/// <param name="Json">UTF-8 JSON.</param>
public readonly record struct StoredValue(string Channel, int Version, ReadOnlyMemory<byte> Json);

/// <summary>One write of a finished or interrupted task, stored under the checkpoint from which its superstep started.</summary>
/// <param name="TaskId">The task. The ids of one superstep sort in task order.</param>
/// <param name="Index">The position within the task. Negative for the special channels, whose writes are replaced by later ones.</param>
/// <param name="Channel">The channel, or one of <see cref="SpecialChannel"/>.</param>
/// <param name="Json">The update as UTF-8 JSON.</param>
public readonly record struct StoredWrite(string TaskId, int Index, string Channel, ReadOnlyMemory<byte> Json);

/// <summary>Channels that hold the progress of a task rather than state, each with its fixed index.</summary>
public static class SpecialChannel
{
    public const string Interrupt = "__interrupt__";
    public const int InterruptIndex = -3;
    public const string Resume = "__resume__";
    public const int ResumeIndex = -4;

    /// <summary>Marks a finished task, with or without writes. All its writes are stored when this one is.</summary>
    public const string Done = "__no_writes__";
    public const int DoneIndex = -5;

    public static bool Contains(string channel) => channel is Interrupt or Resume or Done;
}
