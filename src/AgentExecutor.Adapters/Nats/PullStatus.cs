using NATS.Client.Core;

namespace AgentExecutor.Adapters.Nats;

/// <summary>What the server reports about a pull request.</summary>
internal enum PullStatus
{
    /// <summary>There is nothing to deliver yet.</summary>
    Waiting,

    /// <summary>The request has expired or was fulfilled.</summary>
    Ended,

    /// <summary>The server does not accept the request now.</summary>
    Refused,

    /// <summary>The consumer does not exist, has no leader, or is not a pull consumer.</summary>
    Missing,
}

internal static class PullStatuses
{
    private const int Heartbeat = 100;
    private const int BadRequest = 400;
    private const int NotFound = 404;
    private const int Timeout = 408;
    private const int Conflict = 409;
    private const int NoResponders = 503;

    public static PullStatus Of(NatsHeaders? headers) =>
        headers?.Code switch
        {
            Heartbeat => PullStatus.Waiting,
            NotFound or Timeout => PullStatus.Ended,
            NoResponders or BadRequest => PullStatus.Missing,
            Conflict when Is(headers, "Consumer Deleted") || Is(headers, "Consumer is push based") => PullStatus.Missing,
            Conflict when Is(headers, "Batch Completed") || Is(headers, "Leadership Change") || Is(headers, "Server Shutdown") =>
                PullStatus.Ended,
            Conflict => PullStatus.Refused,
            _ => PullStatus.Ended,
        };

    private static bool Is(NatsHeaders headers, string text) => headers.MessageText.StartsWith(text, StringComparison.OrdinalIgnoreCase);
}
