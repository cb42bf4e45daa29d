using System.Net;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Server.Commands.Remote;

/// <summary>Turns error responses of a service, and failures to reach it, into exceptions.</summary>
internal static class ServiceResponses
{
    /// <summary>The URL of the service, for messages.</summary>
    public static string Name(Uri url) =>
        url.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped).TrimEnd('/');

    /// <summary>The service cannot be reached. The exception is transient.</summary>
    public static FaultException Unreachable(Uri url, Exception exception) =>
        new(
            FaultCodes.BusUnavailable,
            $"no service answers at {Name(url)}: {exception.Message}",
            "start one with: agent-executor serve; or specify one with --to URL",
            exception
        )
        {
            IsTransient = true,
        };

    /// <summary>Reads the problem+json of the service, or the response of a proxy in front of it.</summary>
    public static async Task<FaultException> ReadFaultAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        JsonElement? problem = null;
        try
        {
            problem = InputJson.Parse(text);
        }
        catch (JsonException)
        {
            // not a response of the service, but for example of a proxy
        }
        return new FaultException(
            problem?.TextProperty("code") ?? FaultCodes.BusUnavailable,
            problem?.TextProperty("detail") ?? $"the service answered {(int)response.StatusCode} {response.ReasonPhrase}",
            problem?.TextProperty("hint")
        )
        {
            IsTransient = response.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.BadGateway,
        };
    }
}
