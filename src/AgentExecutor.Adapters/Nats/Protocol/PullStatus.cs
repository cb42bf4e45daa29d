using System.Globalization;

namespace AgentExecutor.Adapters.Nats.Protocol;

internal enum PullStatusKind
{
    /// <summary>The server is there; there is nothing to deliver.</summary>
    Heartbeat,

    /// <summary>The request has run its course.</summary>
    Ended,

    /// <summary>The request was not taken; another may be, a little later.</summary>
    Refused,

    /// <summary>Nobody serves the consumer: it is missing, or has no leader now.</summary>
    Unserved,

    /// <summary>The consumer was deleted, or cannot be pulled from.</summary>
    Gone,

    /// <summary>The request makes no sense to the server.</summary>
    Bad,
}

/// <summary>What the server said of a pull request instead of a message.</summary>
/// <param name="Left">What it had left to deliver; null where it did not say.</param>
internal readonly record struct PullStatus(PullStatusKind Kind, int? Left, string Text)
{
    public static PullStatus Read(NatsMessage message)
    {
        var left = int.TryParse(message.Headers["Nats-Pending-Messages"], NumberStyles.None, CultureInfo.InvariantCulture, out var pending) ? pending : (int?)null;
        return new PullStatus(KindOf(message.Status, message.Headers.StatusText), left, message.Headers.StatusText);
    }

    public NatsException? FaultFor(string consumer) => Kind switch
    {
        PullStatusKind.Gone => new NatsException(NatsFault.ConsumerGone, $"consumer {consumer} cannot be pulled from: {Text}"),
        PullStatusKind.Unserved => new NatsException(NatsFault.NoResponders, $"nobody serves consumer {consumer}: it is missing, or has no leader now"),
        PullStatusKind.Bad => new NatsException(NatsFault.InvalidArgument, $"consumer {consumer} does not take the pull request: {Text}"),
        _ => null,
    };

    private static PullStatusKind KindOf(int status, string text) => status switch
    {
        100 => PullStatusKind.Heartbeat,
        404 or 408 => PullStatusKind.Ended,
        503 => PullStatusKind.Unserved,
        400 => PullStatusKind.Bad,
        409 when Is(text, "Consumer Deleted") || Is(text, "Consumer is push based") => PullStatusKind.Gone,
        409 when Is(text, "Batch Completed") || Is(text, "Leadership Change") || Is(text, "Server Shutdown") || Is(text, "Message Size Exceeds") => PullStatusKind.Ended,
        409 => PullStatusKind.Refused,
        _ => PullStatusKind.Ended,
    };

    private static bool Is(string text, string known) => text.StartsWith(known, StringComparison.OrdinalIgnoreCase);
}
