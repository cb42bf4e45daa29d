using System.Collections.Frozen;
using AgentExecutor.Core;
using AgentExecutor.Server.Settings;
using AgentExecutor.Server.View;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace AgentExecutor.Server.Api.Checks;

/// <summary>
/// Checks from which web page a request comes. The pages of the service and those of the origins in <c>CORS_ORIGINS</c> may send requests.
/// </summary>
internal sealed class Origins
{
    private const int LongestOrigin = 100;

    /// <summary>The response headers that a page of another origin may read, besides those that browsers always allow.</summary>
    private const string Exposed = "Location, Preference-Applied, Retry-After";

    /// <summary>The time in seconds for which a browser may cache the answer to a preflight request.</summary>
    private const string PreflightSeconds = "600";

    private static readonly FrozenSet<string> Frames = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase,
        "iframe",
        "frame",
        "fencedframe",
        "embed",
        "object"
    );

    private readonly FrozenSet<string> _allowed;
    private readonly Uri? _publicUrl;

    public Origins(HttpSettings settings)
    {
        _allowed = ListSetting
            .Items(settings.AllowedOrigins)
            .Select(WebOrigin.Parse)
            .OfType<string>()
            .ToFrozenSet(StringComparer.OrdinalIgnoreCase);
        _publicUrl = WebOrigin.ParseUrl(settings.PublicUrl);
    }

    /// <summary>
    /// Adds the headers that allow pages of an allowed origin to read the response. They are also the answer to a preflight request, which
    /// the router completes.
    /// </summary>
    public void WriteHeaders(HttpContext context)
    {
        if (_allowed.Count == 0)
        {
            return;
        }
        var (request, headers) = (context.Request, context.Response.Headers);
        headers.Vary = HeaderNames.Origin;
        var origin = request.Headers.Origin.ToString();
        if (origin.Length == 0 || !IsAllowed(origin))
        {
            return;
        }
        headers.AccessControlAllowOrigin = origin;
        headers.AccessControlExposeHeaders = Exposed;
        if (IsPreflight(request))
        {
            headers.AccessControlAllowHeaders = request.Headers.AccessControlRequestHeaders;
            headers.AccessControlMaxAge = PreflightSeconds;
        }
    }

    /// <summary>True for a preflight request, with which a browser asks whether a page may send a request.</summary>
    public static bool IsPreflight(HttpRequest request) =>
        HttpMethods.IsOptions(request.Method) && request.Headers.Origin.Count > 0 && request.Headers.AccessControlRequestMethod.Count > 0;

    /// <exception cref="FaultException"><see cref="FaultCodes.OriginRefused"/>.</exception>
    public void Check(HttpRequest request)
    {
        var origin = request.Headers.Origin.ToString();
        if (IsNavigation(request) || (origin.Length > 0 && IsAllowed(origin)))
        {
            return;
        }
        if (origin.Length > 0 && !IsOwn(origin, request.Host))
        {
            throw Refused(
                $"the request comes from a web page of '{EventText.Short(origin, LongestOrigin)}', which may not use this service"
            );
        }
        if (request.Headers["Sec-Fetch-Site"].ToString().Equals("cross-site", StringComparison.OrdinalIgnoreCase))
        {
            throw Refused("the request comes from a web page of another site, which may not use this service");
        }
    }

    /// <summary>
    /// Requires that the request comes from a page of the service, or contains a key or token. A page of another origin cannot add one.
    /// Basic authentication does not count, because browsers store the password and add it to such requests themselves.
    /// </summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.OriginRefused"/>.</exception>
    public void CheckOwn(HttpRequest request)
    {
        var origin = request.Headers.Origin.ToString();
        if (
            (origin.Length > 0 && IsOwn(origin, request.Host))
            || request.Headers["X-Api-Key"].ToString().Length > 0
            || request.Headers.Authorization.ToString().StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
        )
        {
            return;
        }
        throw new FaultException(
            FaultCodes.OriginRefused,
            "this route accepts requests only from pages of this service, or with a key or a token",
            "send the header Authorization: Bearer TOKEN, or X-Api-Key"
        );
    }

    /// <summary>
    /// True if a person followed a link or typed the address. This is allowed, because the page with the link cannot read the response.
    /// </summary>
    private static bool IsNavigation(HttpRequest request) =>
        HttpMethods.IsGet(request.Method)
        && request.Headers["Sec-Fetch-Mode"].ToString().Equals("navigate", StringComparison.OrdinalIgnoreCase)
        && !Frames.Contains(request.Headers["Sec-Fetch-Dest"].ToString());

    private bool IsAllowed(string origin) => _allowed.Contains(WebOrigin.Any) || _allowed.Contains(WebOrigin.Normalize(origin));

    /// <summary>The scheme is not compared, because a proxy in front of the service may terminate TLS.</summary>
    private bool IsOwn(string origin, HostString host)
    {
        if (!Uri.TryCreate(origin, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
        {
            return false;
        }
        return IsSame(uri, host.Host, host.Port ?? DefaultPort(uri)) || (_publicUrl is { } url && IsSame(uri, url.Host, url.Port));
    }

    private static bool IsSame(Uri origin, string host, int port) =>
        origin.Port == port && origin.Host.Equals(host, StringComparison.OrdinalIgnoreCase);

    private static int DefaultPort(Uri origin) => origin.Scheme == "https" ? 443 : 80;

    private static FaultException Refused(string message) =>
        new(FaultCodes.OriginRefused, message, "if pages of this origin should use the service, add the origin to CORS_ORIGINS");
}
