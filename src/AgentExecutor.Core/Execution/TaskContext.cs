using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Execution;

/// <summary>The context of one task: collects its writes, returns the answers to its questions, and runs graphs inside it.</summary>
internal sealed class TaskContext(GraphTask task, StateView state, GraphScope scope) : NodeContext(state, scope)
{
    private int _interrupts;
    private int _externalCalls;

    public override string TaskId => task.Id;

    public override string Node => task.Node.Name;

    public override string TaskPath =>
        string.Create(CultureInfo.InvariantCulture, $"{Scope.TaskPath}{(Scope.TaskPath.Length > 0 ? "-" : "")}{task.Step}.{task.Index}");

    public override bool MayHaveBegun => task.MayHaveBegun;

    public override JsonElement Argument => task.Argument;

    public override void Write(string channel, object update) =>
        task.Writes.Add(new ChannelWrite(State.State.Channels.Require(channel), update));

    public override void WriteJson(string channel, JsonElement update)
    {
        var index = State.State.Channels.Require(channel);
        task.Writes.Add(new ChannelWrite(index, State.State.Channels[index].ReadUpdate(update, TaskId)));
    }

    public override JsonElement Interrupt(JsonElement question) => Interrupt(question, $"{_interrupts++}");

    internal override JsonElement Interrupt(JsonElement question, string key, InterruptTerms? terms = null)
    {
        var asked = InterruptSignal.Question(IdOf(key), question, terms ?? InterruptTerms.None, Now);
        if (!task.Answers.TryGetValue(asked.Id, out var answer))
        {
            throw new InterruptSignal([asked]);
        }
        return asked.Terms.Fails(answer)
            ? throw new FaultException(
                FaultCodes.QuestionTimeout,
                $"nobody answered the question '{asked.Id}' within {asked.Terms.Timeout?.TotalSeconds:0.###} s",
                "start the run again, or raise the timeout of the question in the definition"
            )
            : answer;
    }

    internal override int CountExternalCall() => ++_externalCalls;

    internal override bool HasAnswer(string key) => task.Answers.ContainsKey(IdOf(key));

    private string IdOf(string key) => $"{TaskId}:{key}";

    public override async ValueTask<ChannelState> RunSubgraphAsync(
        Graph graph,
        ImmutableArray<KeyValuePair<string, object>> input,
        CancellationToken cancellationToken
    )
    {
        var deepest = Session.Usage.Limits.MaxSubagentDepth;
        if (Scope.Depth >= deepest)
        {
            throw new FaultException(
                FaultCodes.SubagentDepthLimit,
                $"running '{graph.Name}' would exceed the nesting depth of {deepest}",
                "raise max_subagent_depth in the definition's limits, up to the server's limit"
            );
        }
        var inner = new GraphScope(Session, Scope.Child(Node, TaskId), Scope.Depth + 1, Files)
        {
            TaskPath = TaskPath,
            ReadOnlyFiles = Scope.ReadOnlyFiles,
        };
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
