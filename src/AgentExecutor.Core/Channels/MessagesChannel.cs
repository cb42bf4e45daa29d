using System.Text.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Channels;

/// <summary>A conversation (<see cref="MessageLog"/>). Updates append messages, replace them by id, or remove them.</summary>
public sealed class MessagesChannel(string name = MessagesChannel.DefaultName) : Channel(name)
{
    public const string KindName = "messages";
    public const string DefaultName = "messages";

    public override string Kind => KindName;

    public override bool IsDelta => true;

    public override object? Reduce(object? value, IReadOnlyList<object> updates) =>
        updates.Aggregate(value as MessageLog ?? MessageLog.Empty, static (log, update) => log.Apply((MessageUpdate)update));

    public override long ItemsIn(object? value) => value is MessageLog log ? log.Count : 0;

    public override void WriteValue(Utf8JsonWriter writer, object value)
    {
        writer.WriteStartArray();
        foreach (var message in (MessageLog)value)
        {
            MessageJson.Write(writer, message);
        }
        writer.WriteEndArray();
    }

    public override object ReadValue(JsonElement json) => MessageLog.Empty.Apply(MessageJson.ReadUpdate(json, "message"));

    public override void WriteUpdate(Utf8JsonWriter writer, object update) => MessageJson.Write(writer, (MessageUpdate)update);

    public override object ReadUpdate(JsonElement json, string idPrefix) => MessageJson.ReadUpdate(json, idPrefix);
}
