using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Execution;

/// <summary>What a node sees and can do while one of its tasks runs.</summary>
public sealed class NodeContext(GraphTask task, StateView state, GraphScope scope)
{
    private int _interrupts;

    /// <summary>The state at the start of the superstep, and the task's own item.</summary>
    public StateView State { get; } = state;

    public GraphScope Scope { get; } = scope;

    public RunSession Session => Scope.Session;

    /// <summary>Stable across restarts: the idempotency key of what the task does to the world.</summary>
    public string TaskId => task.Id;

    public string Node => task.Node.Name;

    /// <summary>An earlier attempt of the run may have begun the task.</summary>
    public bool MayHaveBegun => task.MayHaveBegun;

    /// <summary>The item of a fan-out; undefined where the node runs on the state alone.</summary>
    public JsonElement Argument => task.Argument;

    /// <summary>The thread's files as this task sees them: those of the sub-agent over those of its parents.</summary>
    public FileTree Files => State.Files.Over(Scope.InheritedFiles);

    public DateTimeOffset Now => Session.Services.Time.GetUtcNow();

    /// <summary>Writes an update of the channel's own type; it takes effect when the superstep ends.</summary>
    public void Write(string channel, object update) => task.Writes.Add(new ChannelWrite(State.State.Channels.Require(channel), update));

    /// <summary>Writes an update given as JSON.</summary>
    public void WriteJson(string channel, JsonElement update)
    {
        var index = State.State.Channels.Require(channel);
        task.Writes.Add(new ChannelWrite(index, State.State.Channels[index].ReadUpdate(update, TaskId)));
    }

    /// <summary>
    /// Asks a person. The first time the task unwinds here and waits, costing nothing; when it is answered the body runs again from its
    /// beginning, and this call returns the answer. So what comes before it must be free of effects, or safe to repeat.
    /// </summary>
    public JsonElement Interrupt(JsonElement question) => Interrupt(question, $"{_interrupts++}");

    /// <summary>Asks under a name of its own, so that the answer belongs to this question however many came before it.</summary>
    internal JsonElement Interrupt(JsonElement question, string key)
    {
        var id = $"{TaskId}:{key}";
        return task.Answers.TryGetValue(id, out var answer) ? answer : throw new InterruptSignal([new InterruptRequest(id, question)]);
    }

    /// <summary>
    /// Runs a graph inside this task, with checkpoints of its own; after a crash it goes on where it was. It sees this task's files, and
    /// those that it changes are merged back.
    /// </summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.SubagentDepthLimit"/>: graphs nest too deep.</exception>
    public async ValueTask<ChannelState> RunSubgraphAsync(
        Graph graph, ImmutableArray<KeyValuePair<string, object>> input, CancellationToken cancellationToken)
    {
        var deepest = Session.Usage.Limits.MaxSubagentDepth;
        if (Scope.Depth >= deepest)
        {
            throw new FaultException(
                FaultCodes.SubagentDepthLimit, $"'{graph.Name}' would nest deeper than {deepest}", "raise max_subagent_depth in the definition's limits, up to the server's");
        }
        var inner = new GraphScope(Session, Scope.Child(Node, TaskId), Scope.Depth + 1, Files);
        var outcome = await new GraphRunner(graph, inner).RunAsync(new GraphInput.BeginOrContinue(input), cancellationToken);
        if (!outcome.IsFinished)
        {
            throw new InterruptSignal(outcome.Interrupts);
        }
        if (outcome.State.Get<FileTree>(FilesChannel.DefaultName) is { Entries.IsEmpty: false } changed)
        {
            Write(FilesChannel.DefaultName, FileUpdate.Put(changed.Entries));
        }
        return outcome.State;
    }
}
