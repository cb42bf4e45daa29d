using System.Collections.Frozen;
using AgentExecutor.Core;
using AgentExecutor.Server.Settings;
using Microsoft.AspNetCore.Http;

namespace AgentExecutor.Server.Api.Checks;

/// <summary>
/// Rejects requests that a web page should not send. A page can make a browser send requests to any address that the browser can reach, for
/// example to a service on the user's machine. Such a request is recognised by its Host, Origin or Sec-Fetch-Site header, or by a content
/// type that a page may send without a preflight request.
/// </summary>
internal sealed class RequestCheck(HttpSettings settings, RouteMediaTypes otherTypes)
{
    /// <summary>Probes and scrapers use any name or address of the service. These routes change nothing and show no job.</summary>
    private static readonly FrozenSet<string> Exempt = FrozenSet.Create(StringComparer.OrdinalIgnoreCase, "/health", "/ready", "/metrics");

    private readonly AllowedHosts _hosts = new(settings);
    private readonly Origins _origins = new(settings);

    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.HostRefused"/>, <see cref="FaultCodes.OriginRefused"/>, or <see cref="FaultCodes.UnsupportedMediaType"/>.
    /// </exception>
    public async Task RunAsync(HttpContext context, RequestDelegate next)
    {
        _origins.WriteHeaders(context);
        if (!Exempt.Contains(context.Request.Path.Value?.TrimEnd('/') ?? ""))
        {
            _hosts.Check(context.Request.Host);
            if (!IsOwnForm(context))
            {
                _origins.Check(context.Request);
            }
            await CheckBodyAsync(context);
        }
        await next(context);
    }

    /// <summary>
    /// True for the form of a link. Its page sends no referrer, and browsers then replace the origin by <c>null</c>.
    /// </summary>
    private static bool IsOwnForm(HttpContext context) =>
        IsLink(context)
        && context.Request.Headers.Origin == "null"
        && !context.Request.Headers["Sec-Fetch-Site"].ToString().Equals("cross-site", StringComparison.OrdinalIgnoreCase);

    /// <summary>The token in the path of a link is a secret that another page does not know.</summary>
    private static bool IsLink(HttpContext context) =>
        (context.GetEndpoint() as Microsoft.AspNetCore.Routing.RouteEndpoint)?.RoutePattern.RawText == QuestionEndpoints.Pattern;

    /// <summary>Requests without a matching route are not checked, because the router rejects them.</summary>
    private async Task CheckBodyAsync(HttpContext context)
    {
        if (context.GetEndpoint() is not Microsoft.AspNetCore.Routing.RouteEndpoint route)
        {
            return;
        }
        var types = otherTypes.Of(route.RoutePattern.RawText);
        if (!types.IsEmpty && !IsLink(context))
        {
            _origins.CheckOwn(context.Request);
        }
        await RequestBodies.CheckAsync(context, types);
    }
}
