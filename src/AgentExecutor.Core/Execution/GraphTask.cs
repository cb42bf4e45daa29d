using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Execution;

/// <summary>One task of a superstep and what has become of it: the engine's working record, used by one superstep alone.</summary>
public sealed class GraphTask(DueTask due, int index, Node node, string threadId, string checkpointId, string ns)
{
    private string? _id;

    public Node Node { get; } = node;

    public int Index { get; } = index;

    public JsonElement Argument { get; } = due.Argument;

    public string Id => _id ??= TaskId.Of(threadId, checkpointId, ns, Node.Name, Index);

    public List<ChannelWrite> Writes { get; } = [];

    /// <summary>The body has run to its end; its writes are complete.</summary>
    public bool IsDone { get; set; }

    /// <summary>The store has the writes, or the interrupts, as they are now.</summary>
    public bool IsStored { get; set; }

    /// <summary>The questions on which the task waits.</summary>
    public ImmutableArray<InterruptRequest> Interrupts { get; set; } = [];

    /// <summary>The answers that came, by interrupt id.</summary>
    public ImmutableDictionary<string, JsonElement> Answers { get; set; } = ImmutableDictionary<string, JsonElement>.Empty;

    /// <summary>What the body failed with.</summary>
    public Exception? Failure { get; set; }

    /// <summary>An earlier attempt of the run may have begun it, and may have told of what it did.</summary>
    public bool MayHaveBegun { get; init; }

    /// <summary>A sub-graph of it stopped at a checkpoint, because the run was asked to.</summary>
    public bool IsStopped { get; set; }

    public bool IsFinished => IsDone && OpenInterrupts.IsEmpty;

    public ImmutableArray<InterruptRequest> OpenInterrupts => Interrupts.IsEmpty ? [] : Interrupts.RemoveAll(interrupt => Answers.ContainsKey(interrupt.Id));

    /// <summary>It has something to run for: not done, and not waiting for answers none of which has come.</summary>
    public bool IsRunnable => !IsDone && (Interrupts.IsEmpty || OpenInterrupts.Length < Interrupts.Length);
}
