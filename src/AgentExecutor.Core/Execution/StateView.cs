using System.Text.Json;
using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Execution;

/// <summary>Reads a state: by type for nodes, as JSON for expressions. <see cref="Item"/> is what a fan-out task works on.</summary>
public readonly record struct StateView(ChannelState State, JsonElement Item = default)
{
    public MessageLog Messages => State.Get<MessageLog>(MessagesChannel.DefaultName) ?? MessageLog.Empty;

    public FileTree Files => State.Get<FileTree>(FilesChannel.DefaultName) ?? FileTree.Empty;

    /// <summary>The channel's value as JSON; undefined where it has none or does not exist.</summary>
    public JsonElement Json(string channel)
    {
        var index = State.Channels.IndexOf(channel);
        return index < 0 || State.Slots[index].Value is not { } value ? default
            : value is JsonElement json ? json
            : JsonElement.Parse(State.Channels[index].EncodeValue(value));
    }
}
