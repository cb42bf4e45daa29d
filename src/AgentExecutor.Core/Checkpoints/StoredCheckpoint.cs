using System.Collections.Immutable;

namespace AgentExecutor.Core.Checkpoints;

/// <summary>A checkpoint as stores hold it: who it is, what it follows, which channel versions it names. Values are stored apart.</summary>
public sealed record StoredCheckpoint
{
    public required string ThreadId { get; init; }

    /// <summary>Empty for the root graph, <c>node:task_id</c> for a sub-graph, nested with <c>|</c>.</summary>
    public required string Namespace { get; init; }

    /// <summary>Sorts by time within the thread and namespace.</summary>
    public required string Id { get; init; }

    public string? ParentId { get; init; }

    public string RunId { get; init; } = "";

    /// <summary>-1 for the first input, 0 for the first superstep, then counting.</summary>
    public int Step { get; init; }

    public CheckpointSource Source { get; init; }

    public DateTimeOffset Time { get; init; }

    /// <summary>Every channel that has a value, with its version.</summary>
    public ImmutableArray<ChannelVersion> Channels { get; init; } = [];

    /// <summary>The channels that this superstep changed.</summary>
    public ImmutableArray<string> Updated { get; init; } = [];

    /// <summary>The tasks that are due next, as UTF-8 JSON: a list of <c>{"node", "argument"?}</c>.</summary>
    public ReadOnlyMemory<byte> Due { get; init; }
}

/// <summary>A channel's version at a checkpoint.</summary>
/// <param name="Name">The channel.</param>
/// <param name="Version">Grows with each change.</param>
/// <param name="IsDelta">The value is rebuilt from the newest stored value and the writes since.</param>
/// <param name="Updates">Of a delta channel: updates since its whole value was stored; 0 where it is stored at this version.</param>
/// <param name="Supersteps">Of a delta channel: supersteps since then, with an update or without.</param>
public readonly record struct ChannelVersion(string Name, int Version, bool IsDelta = false, int Updates = 0, int Supersteps = 0);

/// <summary>A whole channel value.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="Version">The version that it is.</param>
/// <param name="Json">UTF-8 JSON.</param>
public readonly record struct StoredValue(string Channel, int Version, ReadOnlyMemory<byte> Json);

/// <summary>One write of a finished (or interrupted) task, stored under the checkpoint from which its superstep started.</summary>
/// <param name="TaskId">The task; ids of one superstep sort in task order.</param>
/// <param name="Index">Counts within the task; negative for the special channels, which a later write replaces.</param>
/// <param name="Channel">The channel, or one of <see cref="SpecialChannel"/>.</param>
/// <param name="Json">The update as UTF-8 JSON.</param>
public readonly record struct StoredWrite(string TaskId, int Index, string Channel, ReadOnlyMemory<byte> Json);

/// <summary>Channels that carry a task's fate rather than state, each with its fixed index.</summary>
public static class SpecialChannel
{
    public const string Interrupt = "__interrupt__";
    public const int InterruptIndex = -3;
    public const string Resume = "__resume__";
    public const int ResumeIndex = -4;

    /// <summary>Says that a task finished, with or without writes: those that it has are then all stored.</summary>
    public const string Done = "__no_writes__";
    public const int DoneIndex = -5;

    public static bool Contains(string channel) => channel is Interrupt or Resume or Done;
}
