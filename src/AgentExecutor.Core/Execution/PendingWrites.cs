using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Execution;

/// <summary>Converts the results of tasks in an unfinished superstep to stored writes, and restores them after a crash.</summary>
internal static class PendingWrites
{
    /// <summary>Adds everything that a new attempt must know about the task.</summary>
    public static void Encode(GraphTask task, ChannelSet channels, ImmutableArray<StoredWrite>.Builder into)
    {
        if (task.IsDone)
        {
            for (var i = 0; i < task.Writes.Count; i++)
            {
                into.Add(Encode(task, i, channels));
            }
            into.Add(new StoredWrite(task.Id, SpecialChannel.DoneIndex, SpecialChannel.Done, "null"u8.ToArray()));
        }
        if (!task.Interrupts.IsEmpty)
        {
            into.Add(
                new StoredWrite(task.Id, SpecialChannel.InterruptIndex, SpecialChannel.Interrupt, InterruptRequest.Encode(task.Interrupts))
            );
        }
    }

    public static StoredWrite Encode(GraphTask task, int index, ChannelSet channels)
    {
        var (channel, update) = task.Writes[index];
        return new StoredWrite(task.Id, index, channels[channel].Name, channels[channel].EncodeUpdate(update));
    }

    public static StoredWrite EncodeAnswers(GraphTask task) => EncodeAnswers(task.Id, task.Answers);

    public static StoredWrite EncodeAnswers(string taskId, ImmutableDictionary<string, JsonElement> given) =>
        new(
            taskId,
            SpecialChannel.ResumeIndex,
            SpecialChannel.Resume,
            JsonBytes.Write(
                given,
                static (writer, answers) =>
                {
                    writer.WriteStartObject();
                    foreach (var (id, answer) in answers)
                    {
                        writer.WritePropertyName(id);
                        answer.WriteTo(writer);
                    }
                    writer.WriteEndObject();
                }
            )
        );

    public static ImmutableDictionary<string, JsonElement> DecodeAnswers(StoredWrite write) =>
        StoredJson.Parse(write.Json.Span).EnumerateObject().ToImmutableDictionary(answer => answer.Name, answer => answer.Value);

    /// <summary>Restores what an earlier attempt stored for the task.</summary>
    public static void Restore(GraphTask task, ImmutableArray<StoredWrite> pending, ChannelSet channels)
    {
        var own = pending.Where(write => write.TaskId == task.Id).OrderBy(write => write.Index).ToList();
        foreach (var write in own)
        {
            Restore(task, write);
        }
        if (task.IsDone)
        {
            foreach (var write in own.Where(write => !SpecialChannel.Contains(write.Channel)))
            {
                var channel = channels.Require(write.Channel);
                task.Writes.Add(new ChannelWrite(channel, channels[channel].ReadUpdate(StoredJson.Parse(write.Json.Span), task.Id)));
            }
        }
        task.IsStored = own.Count > 0;
    }

    private static void Restore(GraphTask task, StoredWrite write)
    {
        switch (write.Channel)
        {
            case SpecialChannel.Done:
                task.IsDone = true;
                break;
            case SpecialChannel.Interrupt:
                task.Interrupts = InterruptRequest.Decode(write.Json);
                break;
            case SpecialChannel.Resume:
                task.Answers = DecodeAnswers(write);
                break;
        }
    }
}
