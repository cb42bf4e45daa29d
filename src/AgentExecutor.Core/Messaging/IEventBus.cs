using System.Collections.Immutable;

namespace AgentExecutor.Core.Messaging;

/// <summary>
/// Carries jobs in and results out: three durable streams. Jobs are handed to consumers that share them; all streams can be read. The contract's text is the
/// conformance suite.
/// </summary>
public interface IEventBus : IAsyncDisposable
{
    /// <summary>For so long after a message was published, one with the same id is dropped.</summary>
    TimeSpan DuplicateWindow { get; }

    /// <summary>True while the bus can be reached, as far as is known; asks nobody.</summary>
    bool IsConnected { get; }

    /// <summary>The largest body that it takes.</summary>
    int MaxBodyBytes { get; }

    /// <summary>Stores messages, each in the stream that its subject belongs to; all are durable when the call returns.</summary>
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.BusUnavailable"/>: some or all may be stored, and may be published again; <see cref="FaultCodes.MessageTooLarge"/>;
    /// <see cref="FaultCodes.UnknownSubject"/>: no stream takes it.
    /// </exception>
    ValueTask PublishAsync(ImmutableArray<BusMessage> messages, CancellationToken cancellationToken);

    /// <summary>
    /// Jobs, each for this consumer alone until it is settled or <see cref="BusSettings.AckWaitSeconds"/> have passed without a sign. Returns as soon as there are
    /// some, with what else is there, and with none after <paramref name="wait"/>.
    /// </summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.BusUnavailable"/>.</exception>
    ValueTask<ImmutableArray<IDelivery>> FetchAsync(int atMost, TimeSpan wait, CancellationToken cancellationToken);

    /// <summary>Messages of a stream, in order; fewer than asked for only at its end.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.BusUnavailable"/>.</exception>
    ValueTask<ImmutableArray<StoredMessage>> ReadAsync(BusQuery query, CancellationToken cancellationToken);

    /// <summary>Deletes a message; false where there is none.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.BusUnavailable"/>.</exception>
    ValueTask<bool> DeleteAsync(BusStream stream, long sequence, CancellationToken cancellationToken);
}

/// <summary>A job in a consumer's hands. Of acknowledgement, return and termination the first counts.</summary>
public interface IDelivery
{
    StoredMessage Message { get; }

    /// <summary>How often it has been delivered, this time counted.</summary>
    int Attempt { get; }

    /// <summary>It is done with: never again.</summary>
    ValueTask AckAsync(CancellationToken cancellationToken);

    /// <summary>Not now: again after the delay, to whichever consumer.</summary>
    ValueTask NakAsync(TimeSpan delay, CancellationToken cancellationToken);

    /// <summary>It can never be done: never again.</summary>
    ValueTask TermAsync(string reason, CancellationToken cancellationToken);

    /// <summary>It is being done: the wait for its acknowledgement begins anew.</summary>
    ValueTask InProgressAsync(CancellationToken cancellationToken);
}

/// <summary>A stream of the bus.</summary>
public enum BusStream
{
    Jobs,
    Results,
    DeadLetters,
}

/// <summary>A message to publish.</summary>
/// <param name="Subject">Where to.</param>
/// <param name="Body">The payload.</param>
public record BusMessage(string Subject, ReadOnlyMemory<byte> Body)
{
    /// <summary>The same for every publish of the same message; "" where it is never repeated.</summary>
    public string Id { get; init; } = "";

    public ImmutableArray<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>The first header of the name, whatever its case; null where there is none.</summary>
    public string? Header(string name) => Headers.FirstOrDefault(header => header.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Value;
}

/// <summary>A message in a stream.</summary>
/// <param name="Stream">The stream.</param>
/// <param name="Sequence">Its place; grows.</param>
/// <param name="Time">When it was stored.</param>
/// <param name="Subject">Where it was published to.</param>
/// <param name="Body">The payload.</param>
public sealed record StoredMessage(BusStream Stream, long Sequence, DateTimeOffset Time, string Subject, ReadOnlyMemory<byte> Body) : BusMessage(Subject, Body);

/// <summary>Which messages to read.</summary>
/// <param name="Stream">Of this stream.</param>
/// <param name="AtMost">So many.</param>
/// <param name="After">Behind this place.</param>
/// <param name="Since">Stored at this time or later.</param>
/// <param name="HasBodies">False: leave the payloads out.</param>
public sealed record BusQuery(BusStream Stream, int AtMost, long After = 0, DateTimeOffset? Since = null, bool HasBodies = true);
