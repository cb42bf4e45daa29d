using System.Net.Sockets;
using System.Security.Authentication;
using System.Text.Json;
using AgentExecutor.Core;
using NATS.Client.Core;
using NATS.Client.JetStream;

namespace AgentExecutor.Adapters.Nats;

/// <summary>Classifies the exceptions of the NATS client, and translates them into faults.</summary>
internal static class NatsFaults
{
    /// <summary>Error codes of JetStream that the adapter distinguishes.</summary>
    public const int NoPeers = 10005;
    public const int ConsumerNotFound = 10014;
    public const int MessageNotFound = 10037;
    public const int NotEnabledForAccount = 10039;
    public const int SequenceNotFound = 10043;
    public const int StreamNotFound = 10059;
    public const int NotEnabled = 10076;

    public static bool IsFromNats(Exception exception) =>
        exception
            is NatsException
                or SocketException
                or IOException
                or TimeoutException
                or ObjectDisposedException
                or AuthenticationException
                or JsonException;

    /// <summary>Returns true if a stream or the consumer may be missing.</summary>
    public static bool MayBeMissing(Exception exception) =>
        exception
            is NatsNoRespondersException
                or NatsJSPublishNoResponseException
                or NatsJSApiException
                or NatsBusException { Fault: NatsBusFault.ConsumerMissing };

    /// <summary>Returns true if retrying does not help, because the server must be configured differently.</summary>
    public static bool IsPermanent(Exception exception) =>
        exception switch
        {
            NatsJSApiException refusal => !IsTransient(refusal),
            NatsBusException { Fault: NatsBusFault.NotUsable } => true,
            _ => false,
        };

    /// <summary>
    /// Returns true for errors from which the server can recover: no leader, a full store or a slow peer. Disabled JetStream is not among
    /// them.
    /// </summary>
    public static bool IsTransient(NatsJSApiException refusal) =>
        refusal.Error.ErrCode == NoPeers
        || (refusal.Error.Code is 408 or 429 or >= 500 && refusal.Error.ErrCode is not (NotEnabled or NotEnabledForAccount));

    public static FaultException ToFault(Exception exception) =>
        exception is NatsPayloadTooLargeException
            ? new FaultException(FaultCodes.MessageTooLarge, exception.Message, "raise max_payload of the NATS server", exception)
            : new FaultException(
                FaultCodes.BusUnavailable,
                $"NATS: {Describe(exception)}",
                "check NATS_URL, and that the server is running with JetStream enabled",
                exception
            )
            {
                IsTransient = true,
            };

    /// <summary>
    /// Returns the reason of the failure. The client wraps the reason of a failed connection attempt, so it is the message of the innermost
    /// exception. The exceptions of this adapter contain the reason themselves.
    /// </summary>
    public static string Describe(Exception exception)
    {
        var innermost = exception;
        while (
            innermost is not NatsBusException
            && innermost.InnerException is { } inner and not (NatsNoReplyException or NatsNoRespondersException)
        )
        {
            innermost = inner;
        }
        return (innermost is NatsServerException server ? server.Error : innermost.Message).TrimEnd('.');
    }

    /// <summary>Returns true if the server has rejected the credentials.</summary>
    public static bool IsRefused(Exception exception) =>
        exception is NatsServerException { IsAuthError: true } || (exception.InnerException is { } inner && IsRefused(inner));
}
