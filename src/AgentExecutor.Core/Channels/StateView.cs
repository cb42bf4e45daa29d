using System.Text.Json;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Channels;

/// <summary>
/// Read access to a state, typed for nodes and as JSON for expressions. <see cref="Item"/> is the item that a fan-out task works on.
/// </summary>
public readonly record struct StateView(ChannelState State, JsonElement Item = default)
{
    public MessageLog Messages => State.Get<MessageLog>(MessagesChannel.DefaultName) ?? MessageLog.Empty;

    public FileTree Files => State.Get<FileTree>(FilesChannel.DefaultName) ?? FileTree.Empty;

    /// <summary>Returns the channel's value as JSON; undefined if the channel has no value or does not exist.</summary>
    public JsonElement Json(string channel)
    {
        var index = State.Channels.IndexOf(channel);
        return index < 0 || State.Slots[index].Value is not { } value ? default
            : value is JsonElement json ? json
            : StoredJson.Parse(State.Channels[index].EncodeValue(value));
    }
}
