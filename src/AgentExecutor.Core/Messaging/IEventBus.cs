using System.Collections.Immutable;

namespace AgentExecutor.Core.Messaging;

/// <summary>
/// A message bus with durable streams for jobs, results and dead letters, and for calls of external tools and answers. Jobs and answers are
/// delivered to competing consumers, and all streams can be read. The conformance tests specify the contract.
/// </summary>
public interface IEventBus : IAsyncDisposable
{
    /// <summary>For this long after a message was published, further messages with the same id are dropped.</summary>
    TimeSpan DuplicateWindow { get; }

    /// <summary>
    /// How long the bus waits for an acknowledgement or a progress report before it delivers a job again. If the consumer on the server
    /// already exists with another value, that value is returned.
    /// </summary>
    TimeSpan AckWait { get; }

    /// <summary>The last known state of the connection. Reading it causes no traffic.</summary>
    bool IsConnected { get; }

    /// <summary>The maximum size of a message body in bytes.</summary>
    int MaxBodyBytes { get; }

    /// <summary>Publishes messages, each to the stream that its subject belongs to. All are durable when the call returns.</summary>
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.BusUnavailable"/>: some or all messages may be stored, and can be published again. <see
    /// cref="FaultCodes.MessageTooLarge"/>: a message exceeds the maximum size. <see cref="FaultCodes.UnknownSubject"/>: no stream takes
    /// the subject.
    /// </exception>
    ValueTask PublishAsync(ImmutableArray<BusMessage> messages, CancellationToken cancellationToken);

    /// <summary>
    /// Fetches at most <paramref name="atMost"/> jobs. Each is delivered to this consumer only, until it is acknowledged, returned or
    /// terminated, or <see cref="BusSettings.AckWaitSeconds"/> have passed without a progress report. Returns as soon as there is at least
    /// one job, together with others that are available, and returns none after <paramref name="wait"/>.
    /// </summary>
    /// <exception cref="FaultException">The bus cannot be reached (<see cref="FaultCodes.BusUnavailable"/>).</exception>
    ValueTask<ImmutableArray<IDelivery>> FetchAsync(int atMost, TimeSpan wait, CancellationToken cancellationToken);

    /// <summary>
    /// Fetches messages of the inbox like <see cref="FetchAsync"/> fetches jobs. Returns none after <paramref name="wait"/>, also if the
    /// inbox does not exist yet.
    /// </summary>
    /// <exception cref="FaultException">The bus cannot be reached (<see cref="FaultCodes.BusUnavailable"/>).</exception>
    ValueTask<ImmutableArray<IDelivery>> FetchInboxAsync(int atMost, TimeSpan wait, CancellationToken cancellationToken);

    /// <summary>
    /// Makes sure that external tools and answers by message can be used: creates what is missing if the bus may. Does nothing if it
    /// exists.
    /// </summary>
    /// <exception cref="FaultException">The bus cannot be reached, or lacks a stream that this process must not create.</exception>
    ValueTask OpenInboxAsync(CancellationToken cancellationToken);

    /// <summary>Acknowledges jobs of this bus in one call, like <see cref="IDelivery.AckAsync"/> does for one job.</summary>
    /// <exception cref="FaultException">The bus cannot be reached (<see cref="FaultCodes.BusUnavailable"/>).</exception>
    ValueTask AckAsync(ImmutableArray<IDelivery> deliveries, CancellationToken cancellationToken);

    /// <summary>
    /// Extends the ack wait of jobs of this bus in one call, like <see cref="IDelivery.InProgressAsync"/> does for one job. A thousand jobs
    /// take about as long as one.
    /// </summary>
    /// <exception cref="FaultException">The bus cannot be reached (<see cref="FaultCodes.BusUnavailable"/>).</exception>
    ValueTask InProgressAsync(ImmutableArray<IDelivery> deliveries, CancellationToken cancellationToken);

    /// <summary>Reads messages of a stream in order. Returns fewer than requested only at the end of the stream.</summary>
    /// <exception cref="FaultException">The bus cannot be reached (<see cref="FaultCodes.BusUnavailable"/>).</exception>
    ValueTask<ImmutableArray<StoredMessage>> ReadAsync(BusQuery query, CancellationToken cancellationToken);

    /// <summary>Deletes a message. Returns false if there is none.</summary>
    /// <exception cref="FaultException">The bus cannot be reached (<see cref="FaultCodes.BusUnavailable"/>).</exception>
    ValueTask<bool> DeleteAsync(BusStream stream, long sequence, CancellationToken cancellationToken);
}

/// <summary>A job that was delivered to a consumer. Only the first acknowledgement, return or termination has an effect.</summary>
public interface IDelivery
{
    StoredMessage Message { get; }

    /// <summary>How often the message has been delivered, including this delivery.</summary>
    int Attempt { get; }

    /// <summary>Acknowledges the message, which is then never delivered again.</summary>
    ValueTask AckAsync(CancellationToken cancellationToken);

    /// <summary>Returns the message. After the delay it is delivered again, to any consumer.</summary>
    ValueTask NakAsync(TimeSpan delay, CancellationToken cancellationToken);

    /// <summary>Terminates the message, which can never be processed and is never delivered again.</summary>
    ValueTask TermAsync(string reason, CancellationToken cancellationToken);

    /// <summary>Reports progress, which restarts the ack wait.</summary>
    ValueTask InProgressAsync(CancellationToken cancellationToken);
}

/// <summary>A stream of the bus.</summary>
public enum BusStream
{
    Jobs,
    Results,
    DeadLetters,

    /// <summary>Calls of tools that are executed elsewhere.</summary>
    ToolRequests,

    /// <summary>The results of such calls, and answers to questions.</summary>
    Inbox,
}

/// <summary>A message to publish.</summary>
/// <param name="Subject">The subject to publish to.</param>
/// <param name="Body">The payload.</param>
public record BusMessage(string Subject, ReadOnlyMemory<byte> Body)
{
    /// <summary>
    /// The same for every publication of the same message, so that duplicates are dropped. "" if the message is never published again.
    /// </summary>
    public string Id { get; init; } = "";

    public ImmutableArray<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>Returns the value of the first header with this name, in any case, or null.</summary>
    public string? Header(string name) =>
        Headers.FirstOrDefault(header => header.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Value;
}

/// <summary>A message in a stream.</summary>
/// <param name="Stream">The stream.</param>
/// <param name="Sequence">The position in the stream. It grows with each message.</param>
/// <param name="Time">When it was stored.</param>
/// <param name="Subject">The subject that it was published to.</param>
/// <param name="Body">The payload.</param>
public sealed record StoredMessage(BusStream Stream, long Sequence, DateTimeOffset Time, string Subject, ReadOnlyMemory<byte> Body)
    : BusMessage(Subject, Body)
{
    /// <summary>What is wrong with the message itself, such as headers that cannot be read, or null.</summary>
    public string? Fault { get; init; }
}

/// <summary>Selects messages to read.</summary>
/// <param name="Stream">The stream.</param>
/// <param name="AtMost">The maximum number of messages.</param>
/// <param name="After">Only messages with a greater sequence number.</param>
/// <param name="Since">Only messages that were stored at this time or later.</param>
/// <param name="HasBodies">False to omit the payloads.</param>
public sealed record BusQuery(BusStream Stream, int AtMost, long After = 0, DateTimeOffset? Since = null, bool HasBodies = true);
