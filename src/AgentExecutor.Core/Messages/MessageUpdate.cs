using System.Collections.Immutable;

namespace AgentExecutor.Core.Messages;

/// <summary>The changes that a task makes to a conversation, in order. Immutable.</summary>
public sealed record MessageUpdate(ImmutableArray<MessageEdit> Edits)
{
    public static MessageUpdate Append(Message message) => new([new MessageEdit.Put(message)]);

    public static MessageUpdate Append(IEnumerable<Message> messages) => new([.. messages.Select(message => new MessageEdit.Put(message))]);

    /// <summary>Creates an update that replaces the conversation with these messages.</summary>
    public static MessageUpdate Replace(IEnumerable<Message> messages) =>
        new([new MessageEdit.RemoveAll(), .. messages.Select(message => new MessageEdit.Put(message))]);
}

/// <summary>One edit of a conversation.</summary>
public abstract record MessageEdit
{
    private MessageEdit() { }

    /// <summary>Appends a message, or replaces the message with the same id.</summary>
    public sealed record Put(Message Message) : MessageEdit;

    /// <summary>Removes the message with this id, if it exists.</summary>
    public sealed record Remove(string Id) : MessageEdit;

    /// <summary>Removes all messages that precede this edit.</summary>
    public sealed record RemoveAll : MessageEdit;
}
