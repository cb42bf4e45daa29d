namespace AgentExecutor.Adapters.Nats.Protocol;

internal enum NatsOpKind
{
    Info,
    Message,
    Ping,
    Pong,
    Ok,
    Error,
}

/// <summary>One thing that the server said.</summary>
/// <param name="Message">With <see cref="NatsOpKind.Message"/>.</param>
/// <param name="Text">The JSON of an INFO, the text of an error.</param>
internal readonly record struct NatsOp(NatsOpKind Kind, NatsMessage? Message = null, string Text = "");
