using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using Microsoft.Extensions.Primitives;
using NATS.Client.Core;
using NATS.Client.JetStream;
using NATS.Client.JetStream.Models;
using Stored = NATS.Client.JetStream.Models.StoredMessage;
using StoredMessage = AgentExecutor.Core.Messaging.StoredMessage;

namespace AgentExecutor.Adapters.Nats;

/// <summary>Translates messages between the bus and the NATS client.</summary>
internal sealed class NatsMessages(NatsJSContext jetStream)
{
    private const string MessageId = "Nats-Msg-Id";

    /// <summary>The prefix of headers that the server adds, which are not part of the message.</summary>
    private const string ServerPrefix = "Nats-";

    /// <summary>Returns the headers with which a message is published, including its id, or null if it has none.</summary>
    /// <exception cref="FaultException">NATS cannot transport one of the headers.</exception>
    public static NatsHeaders? HeadersOf(BusMessage message)
    {
        if (message.Headers.IsEmpty && message.Id.Length == 0)
        {
            return null;
        }
        var headers = new NatsHeaders(caseSensitive: true);
        foreach (var (name, value) in message.Headers)
        {
            Check(name, value);
            headers[name] = headers.TryGetValue(name, out var before) ? StringValues.Concat(before, Encoded(value)) : Encoded(value);
        }
        if (message.Id.Length > 0)
        {
            headers[MessageId] = message.Id;
        }
        return headers;
    }

    /// <summary>Converts a message that a consumer delivered, and whose headers the client could read.</summary>
    public static StoredMessage Of(BusStream kind, NatsJSMsgMetadata metadata, INatsJSMsg<byte[]> message)
    {
        var fields = message.Headers is null
            ? []
            : message.Headers.SelectMany(
                static header => header.Value,
                static (header, value) => KeyValuePair.Create(RawHeaderText.Read(header.Key), RawHeaderText.Read(value ?? ""))
            );
        var headers = new HeaderBlock([.. fields], null);
        return Create(kind, metadata.Sequence.Stream, metadata.Timestamp, message.Subject, headers, message.Data ?? []);
    }

    /// <summary>
    /// Converts a message that a consumer delivered with malformed headers. The client discards its body too, so it is read from the
    /// stream.
    /// </summary>
    public async Task<StoredMessage> RecoverAsync(
        BusStream kind,
        NatsJSMsgMetadata metadata,
        INatsJSMsg<byte[]> message,
        CancellationToken cancellationToken
    )
    {
        var stored = await FindAsync(metadata.Stream, new StreamMsgGetRequest { Seq = metadata.Sequence.Stream }, cancellationToken);
        if (stored is not null)
        {
            return Of(kind, stored);
        }
        var headers = message.Error is NatsHeaderParseException malformed ? HeaderBlock.Read(malformed.RawData) : new HeaderBlock([], null);
        return Create(
            kind,
            metadata.Sequence.Stream,
            metadata.Timestamp,
            message.Subject,
            headers with
            {
                Fault = headers.Fault ?? "the message has malformed headers, and its stream does not contain it any more",
            },
            default
        );
    }

    /// <summary>Converts a message that was read from its stream.</summary>
    public static StoredMessage Of(BusStream kind, Stored stored)
    {
        var headers = stored.Hdrs is { Length: > 0 } encoded
            ? HeaderBlock.Read(Convert.FromBase64String(encoded))
            : new HeaderBlock([], null);
        return Create(kind, stored.Seq, stored.Time, stored.Subject, headers, stored.Data);
    }

    /// <summary>Reads one message of a stream. Returns null if it does not exist.</summary>
    public async Task<Stored?> FindAsync(string stream, StreamMsgGetRequest request, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await jetStream.JSRequestResponseAsync<StreamMsgGetRequest, StreamMsgGetResponse>(
                $"$JS.API.STREAM.MSG.GET.{stream}",
                request,
                cancellationToken
            );
            return answer.Message;
        }
        catch (NatsJSApiException refusal) when (refusal.Error.ErrCode == NatsFaults.MessageNotFound)
        {
            return null;
        }
    }

    private static StoredMessage Create(
        BusStream kind,
        ulong sequence,
        DateTimeOffset time,
        string subject,
        HeaderBlock headers,
        ReadOnlyMemory<byte> body
    ) =>
        new(kind, (long)sequence, time, subject, body)
        {
            Id = headers.Fields.FirstOrDefault(static field => field.Key == MessageId).Value ?? "",
            Fault = headers.Fault,
            Headers = headers.Fields.RemoveAll(static field => field.Key.StartsWith(ServerPrefix, StringComparison.OrdinalIgnoreCase)),
        };

    private static void Check(string name, string value)
    {
        if (name.Length == 0 || name.AsSpan().ContainsAnyExceptInRange('!', '~') || name.Contains(':', StringComparison.Ordinal))
        {
            throw new FaultException(
                FaultCodes.UnknownSubject,
                $"'{name.ReplaceLineEndings(" ")}' is not a header name that NATS transports",
                "use visible ASCII characters without a colon"
            );
        }
        if (value.AsSpan().ContainsAny('\r', '\n'))
        {
            throw new FaultException(
                FaultCodes.UnknownSubject,
                $"the value of the header {name} contains a line break",
                "encode the value"
            );
        }
    }

    /// <summary>Converts each byte of the UTF-8 encoding to a character, because the client writes each character as one byte.</summary>
    private static string Encoded(string value) => Ascii.IsValid(value) ? value : Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(value));
}
