using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Execution;

/// <summary>The questions that wait for a person at a position of the root graph; those of sub-graphs are among them.</summary>
public static class OpenInterrupts
{
    public static ImmutableArray<InterruptRequest> Of(string threadId, Position at, Graph graph)
    {
        var open = ImmutableArray.CreateBuilder<InterruptRequest>();
        foreach (var task in Tasks(threadId, at, graph))
        {
            open.AddRange(task.OpenInterrupts);
        }
        return open.ToImmutable();
    }

    /// <summary>What stores the answers beside the checkpoint, for the tasks that asked to find when they run again.</summary>
    /// <param name="answers">By interrupt id.</param>
    public static ImmutableArray<StoredWrite> AnswerWrites(string threadId, Position at, Graph graph, IReadOnlyDictionary<string, JsonElement> answers)
    {
        var writes = ImmutableArray.CreateBuilder<StoredWrite>();
        foreach (var task in Tasks(threadId, at, graph))
        {
            var given = task.OpenInterrupts.Where(open => answers.ContainsKey(open.Id)).ToList();
            if (given.Count > 0)
            {
                task.Answers = task.Answers.AddRange(given.Select(open => KeyValuePair.Create(open.Id, answers[open.Id])));
                writes.Add(PendingWrites.EncodeAnswers(task));
            }
        }
        return writes.ToImmutable();
    }

    private static IEnumerable<GraphTask> Tasks(string threadId, Position at, Graph graph)
    {
        for (var i = 0; i < at.Due.Length && !at.Pending.IsEmpty; i++)
        {
            var task = new GraphTask(at.Due[i], i, graph.Require(at.Due[i].Node), threadId, at.CheckpointId!, "");
            PendingWrites.Restore(task, at.Pending, at.State.Channels);
            yield return task;
        }
    }
}
