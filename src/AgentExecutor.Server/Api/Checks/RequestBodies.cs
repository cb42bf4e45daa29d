using System.Collections.Immutable;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Server.View;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace AgentExecutor.Server.Api.Checks;

/// <summary>
/// Checks the content type of a request. A browser sends plain text and forms on behalf of any page, but JSON only after a preflight
/// request.
/// </summary>
internal static class RequestBodies
{
    private const int LongestName = 100;

    /// <param name="context">The request.</param>
    /// <param name="others">The media types besides JSON that the route accepts.</param>
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.UnsupportedMediaType"/>: the request has a body of another content type.
    /// </exception>
    public static async ValueTask CheckAsync(HttpContext context, ImmutableArray<string> others)
    {
        var type = context.Request.ContentType ?? "";
        if (MediaType.IsApplicationJson(type) || others.Any(other => MediaType.Is(type, other)) || !await HasBodyAsync(context))
        {
            return;
        }
        var message =
            type.Length == 0
                ? "the request has a body and no content type"
                : $"the content type '{EventText.Short(type, LongestName)}' is not accepted here";
        var hint = $"send {string.Join(", or ", (string[])["application/json", "application/*+json", .. others])}";
        throw new EventException(FaultCodes.UnsupportedMediaType, [new EventFault("Content-Type", message, hint)]);
    }

    /// <summary>A chunked body may turn out to be empty when its first chunk arrives.</summary>
    private static async ValueTask<bool> HasBodyAsync(HttpContext context)
    {
        if (context.Request.ContentLength is { } length)
        {
            return length > 0;
        }
        if (context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: false })
        {
            return false;
        }
        var reader = context.Request.BodyReader;
        var read = await reader.ReadAsync(context.RequestAborted);
        reader.AdvanceTo(read.Buffer.Start);
        return !read.Buffer.IsEmpty;
    }
}
