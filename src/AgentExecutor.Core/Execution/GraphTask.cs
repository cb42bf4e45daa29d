using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Execution;

/// <summary>One task of a superstep with its progress and results. It is mutable and used by a single superstep.</summary>
public sealed class GraphTask(DueTask due, int index, Node node, string threadId, string checkpointId, string ns)
{
    private string? _id;

    public Node Node { get; } = node;

    public int Index { get; } = index;

    public JsonElement Argument { get; } = due.Argument;

    public string Id => _id ??= TaskId.Of(threadId, checkpointId, ns, Node.Name, Index);

    public List<ChannelWrite> Writes { get; } = [];

    /// <summary>True if the body ran to completion, so that <see cref="Writes"/> is complete.</summary>
    public bool IsDone { get; set; }

    /// <summary>True if the store holds the current writes and interrupts.</summary>
    public bool IsStored { get; set; }

    /// <summary>The questions that the task waits for.</summary>
    public ImmutableArray<InterruptRequest> Interrupts { get; set; } = [];

    /// <summary>The answers received so far, by interrupt id.</summary>
    public ImmutableDictionary<string, JsonElement> Answers { get; set; } = ImmutableDictionary<string, JsonElement>.Empty;

    /// <summary>The exception with which the body failed.</summary>
    public Exception? Failure { get; set; }

    /// <summary>The superstep of the graph in which the task runs.</summary>
    public int Step { get; init; }

    /// <summary>True if an earlier attempt of the run may have started this task and may have published events about it.</summary>
    public bool MayHaveBegun { get; init; }

    /// <summary>True if the task did not run to completion because the run was asked to stop.</summary>
    public bool IsStopped { get; set; }

    public bool IsFinished => IsDone && OpenInterrupts.IsEmpty;

    public ImmutableArray<InterruptRequest> OpenInterrupts =>
        Interrupts.IsEmpty ? [] : Interrupts.RemoveAll(interrupt => Answers.ContainsKey(interrupt.Id));

    /// <summary>
    /// True if there is something to run: the task is not done, and either it waits for no answers or at least one of them has arrived.
    /// </summary>
    public bool IsRunnable => !IsDone && (Interrupts.IsEmpty || OpenInterrupts.Length < Interrupts.Length);
}
