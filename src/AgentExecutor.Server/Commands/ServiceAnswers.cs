using System.Net;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Server.Commands;

/// <summary>What a service says that is no success, and that there is none, as faults.</summary>
internal static class ServiceAnswers
{
    /// <summary>The service as people name it.</summary>
    public static string Name(Uri url) => url.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped).TrimEnd('/');

    /// <summary>Transient: it may come back.</summary>
    public static FaultException None(Uri url, Exception exception) => new(
        FaultCodes.BusUnavailable, $"no service answers at {Name(url)}: {exception.Message}", "start one with: agent-executor serve; or name one with --to URL", exception)
    {
        IsTransient = true,
    };

    /// <summary>Its problem+json, or that of a proxy before it.</summary>
    public static async Task<FaultException> ReadFaultAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        JsonElement? problem = null;
        try
        {
            problem = JsonElement.Parse(text);
        }
        catch (JsonException)
        {
            // somebody else's answer: a proxy's, say
        }
        return new FaultException(
            problem?.TextProperty("code") ?? FaultCodes.BusUnavailable,
            problem?.TextProperty("detail") ?? $"the service answered {(int)response.StatusCode} {response.ReasonPhrase}",
            problem?.TextProperty("hint"))
        { IsTransient = response.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.BadGateway };
    }
}
