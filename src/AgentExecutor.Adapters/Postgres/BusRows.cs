using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Messages to publish.</summary>
internal sealed class MessageRows()
    : RowTable<BusMessage>(
        Text("stream", static it => PostgresRows.Name(BusSubjects.StreamOf(it.Subject))),
        Text("message_id", static it => it.Id),
        Text("subject", static it => it.Subject),
        Text("headers", static it => HeaderJson.Write(it.Headers)),
        Bytes("body", static it => it.Body)
    )
{
    public static MessageRows Table { get; } = new();
}

/// <summary>Deliveries of messages. The number of the attempt distinguishes a delivery from later ones of the same message.</summary>
internal sealed class DeliveryRows : RowTable<IDelivery>
{
    private DeliveryRows()
        : base(Number("sequence", static it => it.Message.Sequence), Integer("attempts", static it => it.Attempt)) { }

    public static DeliveryRows Table { get; } = new();
}
