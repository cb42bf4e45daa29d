using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;

namespace AgentExecutor.Core.Graphs;

/// <summary>What a node can read and do while one of its tasks runs.</summary>
/// <param name="state">The state at the start of the superstep, together with the task's fan-out item.</param>
/// <param name="scope">The context within the run in which the node's graph executes.</param>
public abstract class NodeContext(StateView state, GraphScope scope)
{
    /// <summary>The state at the start of the superstep, together with the task's fan-out item.</summary>
    public StateView State { get; } = state;

    public GraphScope Scope { get; } = scope;

    public RunSession Session => Scope.Session;

    /// <summary>The task's id, which is stable across restarts. Use it as the idempotency key for side effects.</summary>
    public abstract string TaskId { get; }

    /// <summary>The name of the node.</summary>
    public abstract string Node { get; }

    /// <summary>
    /// The superstep and the task's position in it, for example <c>2.1</c>. In a sub-graph, the path of the enclosing task precedes it, for
    /// example <c>4.0-2.1</c>. The path is unique in the thread, and a replay of the run produces the same path.
    /// </summary>
    public abstract string TaskPath { get; }

    /// <summary>True if an earlier attempt of the run may have started this task.</summary>
    public abstract bool MayHaveBegun { get; }

    /// <summary>The item, if the task was created by a fan-out; otherwise undefined.</summary>
    public abstract JsonElement Argument { get; }

    /// <summary>
    /// The files that this task sees: those of its own graph, layered over those of the parent graphs, and covered by the read-only ones.
    /// </summary>
    public FileTree Files => Scope.ReadOnlyFiles.Over(State.Files.Over(Scope.InheritedFiles));

    public DateTimeOffset Now => Session.Services.Time.GetUtcNow();

    /// <summary>Writes an update of the channel's own type. It takes effect at the end of the superstep.</summary>
    public abstract void Write(string channel, object update);

    /// <summary>Writes an update that is given as JSON.</summary>
    public abstract void WriteJson(string channel, JsonElement update);

    /// <summary>
    /// Asks a person a question. The first call unwinds the task, which then waits without using resources. When the answer arrives, the
    /// body runs again from its beginning, and this call returns the answer. Code before the call must therefore have no side effects, or
    /// be safe to repeat.
    /// </summary>
    public abstract JsonElement Interrupt(JsonElement question);

    /// <summary>
    /// Asks a question under an explicit key, so that the answer belongs to this question regardless of how many questions precede it.
    /// </summary>
    /// <exception cref="FaultException">Nobody has answered in time, and the terms say that the run then fails.</exception>
    internal abstract JsonElement Interrupt(JsonElement question, string key, InterruptTerms? terms = null);

    /// <summary>Returns the number of this call within the attempt of the task, from 1.</summary>
    internal abstract int CountExternalCall();

    /// <summary>Returns true if the question with this key has been answered.</summary>
    internal abstract bool HasAnswer(string key);

    /// <summary>
    /// Runs a graph within this task, with checkpoints of its own, and continues from them after a crash. The graph sees this task's files,
    /// and its changes to files are merged back when it finishes.
    /// </summary>
    /// <exception cref="FaultException">The graphs are nested too deeply (<see cref="FaultCodes.SubagentDepthLimit"/>).</exception>
    public abstract ValueTask<ChannelState> RunSubgraphAsync(
        Graph graph,
        ImmutableArray<KeyValuePair<string, object>> input,
        CancellationToken cancellationToken
    );
}
