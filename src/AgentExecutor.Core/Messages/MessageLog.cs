using System.Collections;
using System.Collections.Immutable;

namespace AgentExecutor.Core.Messages;

/// <summary>
/// A conversation: an immutable list whose versions share one growing array, so that appending has a constant cost, however long the thread
/// is. Appending to the newest version extends the shared array in place. Appending to an older version (a fork), replacing and removing
/// copy the array. Each version reads only its first <see cref="Count"/> entries, which never change.
/// </summary>
public sealed class MessageLog : IReadOnlyList<Message>
{
    public static readonly MessageLog Empty = new(new Shared(), 0, 0, 0);

    private readonly Shared _shared;

    private MessageLog(Shared shared, int count, long length, int aiTurns)
    {
        _shared = shared;
        Count = count;
        Length = length;
        AiTurns = aiTurns;
    }

    public int Count { get; }

    /// <summary>The total length of all messages in characters, updated with each append.</summary>
    public long Length { get; }

    /// <summary>The number of AI messages, updated with each append.</summary>
    public int AiTurns { get; }

    public Message? Last => Count == 0 ? null : _shared.Items[Count - 1];

    public Message this[int index] =>
        (uint)index < (uint)Count ? _shared.Items[index] : throw new ArgumentOutOfRangeException(nameof(index));

    public static MessageLog Of(params IEnumerable<Message> messages) => Empty.Apply(MessageUpdate.Append(messages));

    public MessageLog Apply(MessageUpdate update)
    {
        var log = this;
        foreach (var edit in update.Edits)
        {
            log = edit switch
            {
                MessageEdit.Put put => log.Put(put.Message),
                MessageEdit.Remove remove => log.Remove(remove.Id),
                MessageEdit.RemoveAll => Empty,
                _ => throw new InvalidOperationException($"unknown edit: {edit}"),
            };
        }
        return log;
    }

    /// <summary>Returns the newest message of this type, searching from the end.</summary>
    public Message? LastOf(MessageType type)
    {
        for (var i = Count - 1; i >= 0; i--)
        {
            if (_shared.Items[i].Type == type)
            {
                return _shared.Items[i];
            }
        }
        return null;
    }

    public IEnumerator<Message> GetEnumerator()
    {
        var items = _shared.Items; // the array may be replaced by a longer one; both contain all entries of this version
        for (var i = 0; i < Count; i++)
        {
            yield return items[i];
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private MessageLog Put(Message message)
    {
        lock (_shared)
        {
            if (_shared.IndexOf(message.Id, Count) is { } index)
            {
                return From(ToBuilder(), index, message);
            }
            if (PlaceOf(message) is var place && place < Count)
            {
                var items = ToBuilder();
                items.Insert(place, message);
                return Of(items);
            }
            var shared = _shared.Count == Count && Count > 0 ? _shared : _shared.Copy(Count);
            shared.Append(message);
            return new MessageLog(shared, Count + 1, Length + message.Length, AiTurns + (message.Type == MessageType.Ai ? 1 : 0));
        }
    }

    /// <summary>
    /// Returns the position of a new message: the end. The answer to a tool call is placed before messages that were added since the call,
    /// for example by another tool, because model servers require that the answers follow the calls.
    /// </summary>
    private int PlaceOf(Message message)
    {
        if (message is not { Type: MessageType.Tool, ToolCallId: { } call })
        {
            return Count;
        }
        var place = Count;
        while (place > 0 && _shared.Items[place - 1] is { Type: not MessageType.Tool, ToolCalls.IsEmpty: true })
        {
            place--;
        }
        var turn = place - 1;
        while (turn >= 0 && _shared.Items[turn].Type == MessageType.Tool)
        {
            turn--;
        }
        return turn >= 0 && _shared.Items[turn].ToolCalls.Any(it => it.Id == call) ? place : Count;
    }

    private MessageLog Remove(string id)
    {
        int? index;
        lock (_shared)
        {
            index = _shared.IndexOf(id, Count);
        }
        if (index is null)
        {
            return this;
        }
        var items = ToBuilder();
        items.RemoveAt(index.Value);
        return Of(items);
    }

    private static MessageLog From(ImmutableArray<Message>.Builder items, int index, Message message)
    {
        items[index] = message;
        return Of(items);
    }

    private ImmutableArray<Message>.Builder ToBuilder()
    {
        var builder = ImmutableArray.CreateBuilder<Message>(Count);
        builder.AddRange(_shared.Items.AsSpan(0, Count));
        return builder;
    }

    /// <summary>The array that all versions of one history share. It is only appended to, under its own lock.</summary>
    private sealed class Shared
    {
        private readonly Dictionary<string, int> _byId = [];

        public Message[] Items { get; private set; } = new Message[8];

        public int Count { get; private set; }

        public int? IndexOf(string id, int visible) => _byId.TryGetValue(id, out var index) && index < visible ? index : null;

        public void Append(Message message)
        {
            if (Count == Items.Length)
            {
                var longer = new Message[Count * 2];
                Items.CopyTo(longer, 0);
                Items = longer;
            }
            Items[Count] = message;
            _byId[message.Id] = Count++;
        }

        public Shared Copy(int visible)
        {
            var copy = new Shared();
            for (var i = 0; i < visible; i++)
            {
                copy.Append(Items[i]);
            }
            return copy;
        }
    }
}
