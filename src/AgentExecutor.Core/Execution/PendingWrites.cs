using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Execution;

/// <summary>Turns what tasks have done in an unfinished superstep into stored writes, and back after a crash.</summary>
internal static class PendingWrites
{
    /// <summary>Everything that a new attempt needs to know of this task.</summary>
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
            into.Add(new StoredWrite(task.Id, SpecialChannel.InterruptIndex, SpecialChannel.Interrupt, InterruptRequest.Encode(task.Interrupts)));
        }
    }

    public static StoredWrite Encode(GraphTask task, int index, ChannelSet channels)
    {
        var (channel, update) = task.Writes[index];
        return new StoredWrite(task.Id, index, channels[channel].Name, channels[channel].EncodeUpdate(update));
    }

    public static StoredWrite EncodeAnswers(GraphTask task) => new(
        task.Id, SpecialChannel.ResumeIndex, SpecialChannel.Resume, JsonBytes.Write(task.Answers, static (writer, answers) =>
        {
            writer.WriteStartObject();
            foreach (var (id, answer) in answers)
            {
                writer.WritePropertyName(id);
                answer.WriteTo(writer);
            }
            writer.WriteEndObject();
        }));

    /// <summary>Gives the task back what an earlier attempt stored of it.</summary>
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
                task.Writes.Add(new ChannelWrite(channel, channels[channel].ReadUpdate(JsonElement.Parse(write.Json.Span), task.Id)));
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
                task.Answers = JsonElement.Parse(write.Json.Span).EnumerateObject().ToImmutableDictionary(answer => answer.Name, answer => answer.Value);
                break;
        }
    }
}
