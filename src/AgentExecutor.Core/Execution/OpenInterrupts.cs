using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Execution;

/// <summary>
/// Finds the unanswered questions at a position of the root graph, including those of its sub-graphs. They are read from the pending
/// writes.
/// </summary>
public static class OpenInterrupts
{
    public static ImmutableArray<InterruptRequest> Of(Position position) => [.. TasksWithQuestions(position).SelectMany(task => task.Open)];

    /// <summary>Creates the pending writes that store the answers, so that the tasks find them when they run again.</summary>
    /// <param name="position">The thread's current position.</param>
    /// <param name="answers">The answers by interrupt id.</param>
    public static ImmutableArray<StoredWrite> AnswerWrites(Position position, IReadOnlyDictionary<string, JsonElement> answers)
    {
        var writes = ImmutableArray.CreateBuilder<StoredWrite>();
        foreach (var task in TasksWithQuestions(position))
        {
            var given = task.Open.Where(open => answers.ContainsKey(open.Id)).ToList();
            if (given.Count > 0)
            {
                writes.Add(
                    PendingWrites.EncodeAnswers(
                        task.Id,
                        task.Answers.AddRange(given.Select(open => KeyValuePair.Create(open.Id, answers[open.Id])))
                    )
                );
            }
        }
        return writes.ToImmutable();
    }

    /// <summary>Returns the tasks that have a stored question, in task order, which is also the order of their ids.</summary>
    private static IEnumerable<TaskWithQuestions> TasksWithQuestions(Position position) =>
        position
            .Pending.GroupBy(write => write.TaskId, StringComparer.Ordinal)
            .OrderBy(task => task.Key, StringComparer.Ordinal)
            .Where(task => task.Any(write => write.Channel == SpecialChannel.Interrupt))
            .Select(task =>
            {
                var answers = task.FirstOrDefault(write => write.Channel == SpecialChannel.Resume) is { TaskId: not null } stored
                    ? PendingWrites.DecodeAnswers(stored)
                    : ImmutableDictionary<string, JsonElement>.Empty;
                var asked = InterruptRequest.Decode(task.First(write => write.Channel == SpecialChannel.Interrupt).Json);
                return new TaskWithQuestions(task.Key, answers, asked.RemoveAll(question => answers.ContainsKey(question.Id)));
            });

    private sealed record TaskWithQuestions(
        string Id,
        ImmutableDictionary<string, JsonElement> Answers,
        ImmutableArray<InterruptRequest> Open
    );
}
