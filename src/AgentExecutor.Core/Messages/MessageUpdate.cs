using System.Collections.Immutable;

namespace AgentExecutor.Core.Messages;

/// <summary>What a task does to a conversation, in order. Immutable.</summary>
public sealed record MessageUpdate(ImmutableArray<MessageEdit> Edits)
{
    public static MessageUpdate Append(Message message) => new([new MessageEdit.Put(message)]);

    public static MessageUpdate Append(IEnumerable<Message> messages) => new([.. messages.Select(message => new MessageEdit.Put(message))]);

    /// <summary>Clears the conversation and begins it again with these messages.</summary>
    public static MessageUpdate Replace(IEnumerable<Message> messages) =>
        new([new MessageEdit.RemoveAll(), .. messages.Select(message => new MessageEdit.Put(message))]);
}

/// <summary>One edit of a conversation.</summary>
public abstract record MessageEdit
{
    private MessageEdit()
    {
    }

    /// <summary>Appends, or takes the place of the message with the same id.</summary>
    public sealed record Put(Message Message) : MessageEdit;

    /// <summary>Removes the message with this id; no fault where there is none.</summary>
    public sealed record Remove(string Id) : MessageEdit;

    /// <summary>Removes every message before it.</summary>
    public sealed record RemoveAll : MessageEdit;
}
