using System.Globalization;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Server.Settings;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Logging;
using Microsoft.Net.Http.Headers;

namespace AgentExecutor.Server.Api;

/// <summary>Turns exceptions into responses: problem+json (RFC 9457) with the code, all errors, and hints how to fix them.</summary>
internal sealed class Problems(HttpSettings settings, ILogger logger)
{
    /// <summary>Headers that were set before the error and stay in the response: allowed methods, the protocol, and CORS.</summary>
    private static readonly string[] KeptHeaders =
    [
        HeaderNames.Allow,
        HeaderNames.Upgrade,
        HeaderNames.AccessControlAllowOrigin,
        HeaderNames.AccessControlExposeHeaders,
        HeaderNames.Vary,
    ];

    public async Task GuardAsync(HttpContext context, Func<HttpContext, Task> handle)
    {
        try
        {
            await handle(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            if (!context.Response.HasStarted)
            {
                context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest; // the client is gone; this is for the metrics
            }
        }
        catch (OperationCanceledException)
        {
            // Without the client, only the deadline for the store cancels a request.
            await WriteAsync(
                context,
                StatusCodes.Status503ServiceUnavailable,
                new FaultException(FaultCodes.StoreUnavailable, "the store did not respond in time", "try again")
            );
        }
        catch (BadHttpRequestException bad)
        {
            await WriteAsync(
                context,
                bad.StatusCode,
                bad.StatusCode == StatusCodes.Status413PayloadTooLarge
                    ? TooLarge()
                    : new FaultException(FaultCodes.InvalidEvent, bad.Message)
            );
        }
        catch (FaultException fault)
        {
            await WriteAsync(context, StatusOf(fault), fault);
        }
        catch (Exception exception) // every error becomes a response
        {
            Log.RequestFailed(logger, exception, context.Request.Method, context.Request.Path);
            await WriteAsync(
                context,
                StatusCodes.Status500InternalServerError,
                new FaultException(FaultCodes.Internal, "an internal error of the service", "see the log of the service")
            );
        }
    }

    public async Task WriteAsync(HttpContext context, int status, FaultException fault)
    {
        if (context.Response.HasStarted)
        {
            context.Abort();
            return;
        }
        var kept = KeptHeaders.Select(name => (Name: name, Value: context.Response.Headers[name])).ToList();
        context.Response.Clear();
        foreach (var (name, value) in kept)
        {
            context.Response.Headers[name] = value;
        }
        if (status == StatusCodes.Status503ServiceUnavailable)
        {
            context.Response.Headers.RetryAfter = settings.RetryAfterSeconds.ToString(CultureInfo.InvariantCulture);
        }
        await Requests.WriteAsync(context, status, Encode(status, fault), "application/problem+json");
    }

    /// <summary>4xx for errors of the client, 503 for unavailable servers, and 500 for all others.</summary>
    private static int StatusOf(FaultException fault) =>
        fault.Code switch
        {
            FaultCodes.UnsupportedMediaType => StatusCodes.Status415UnsupportedMediaType,
            FaultCodes.InvalidEvent
            or FaultCodes.InvalidDefinition
            or FaultCodes.InvalidInput
            or FaultCodes.InvalidAnswer
            or FaultCodes.InvalidUpdate
            or FaultCodes.UnknownInterrupt
            or FaultCodes.UnknownProvider => StatusCodes.Status400BadRequest,
            FaultCodes.UnknownThread or FaultCodes.UnknownCheckpoint or FaultCodes.UnknownRoute or FaultCodes.UnknownToolCall =>
                StatusCodes.Status404NotFound,
            FaultCodes.MethodNotAllowed => StatusCodes.Status405MethodNotAllowed,
            FaultCodes.UpgradeRequired => StatusCodes.Status426UpgradeRequired,
            FaultCodes.OriginRefused or FaultCodes.HostRefused => StatusCodes.Status403Forbidden,
            FaultCodes.JobConflict
            or FaultCodes.RunExists
            or FaultCodes.ThreadBusy
            or FaultCodes.NothingToResume
            or FaultCodes.AnswerConflict
            or FaultCodes.NothingToCancel
            or FaultCodes.LeaseLost
            or FaultCodes.CancelRequested => StatusCodes.Status409Conflict,
            FaultCodes.StoreUnavailable
            or FaultCodes.StoreTimeout
            or FaultCodes.BusUnavailable
            or FaultCodes.StreamUnavailable
            or FaultCodes.ShuttingDown
            or FaultCodes.Overloaded => StatusCodes.Status503ServiceUnavailable,
            _ => StatusCodes.Status500InternalServerError,
        };

    private FaultException TooLarge() =>
        new(
            FaultCodes.InvalidEvent,
            $"the body is larger than {settings.MaxBodyBytes} bytes",
            "send a smaller body, or increase AGENT_EXECUTOR_HTTP_MAX_BODY_BYTES"
        );

    private static byte[] Encode(int status, FaultException fault) =>
        JsonBytes.Write(
            (status, fault),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("type"u8, $"urn:agent-executor:problem:{it.fault.Code}");
                writer.WriteString("title"u8, ReasonPhrases.GetReasonPhrase(it.status));
                writer.WriteNumber("status"u8, it.status);
                writer.WriteString("detail"u8, it.fault.Message);
                writer.WriteString("code"u8, it.fault.Code);
                if (it.fault.Hint is { } hint)
                {
                    writer.WriteString("hint"u8, hint);
                }
                WriteFaults(writer, it.fault);
                writer.WriteEndObject();
            }
        );

    private static void WriteFaults(Utf8JsonWriter writer, FaultException fault)
    {
        IEnumerable<(string Path, string Message, string? Hint)> faults = fault switch
        {
            EventException read => read.Faults.Select(it => (it.Path, it.Message, (string?)it.Hint)),
            DefinitionException defined => defined.Faults.Select(it => (it.Path, it.Message, (string?)it.Hint)),
            _ => [],
        };
        if (!faults.Any())
        {
            return;
        }
        writer.WriteStartArray("faults"u8);
        foreach (var (path, message, hint) in faults)
        {
            writer.WriteStartObject();
            writer.WriteString("path"u8, path);
            writer.WriteString("message"u8, message);
            writer.WriteString("hint"u8, hint);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }
}
