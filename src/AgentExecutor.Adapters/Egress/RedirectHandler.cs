using System.Net;

namespace AgentExecutor.Adapters.Egress;

/// <summary>
/// Follows redirects to allowed addresses. The address of each redirect is checked like that of the first request. On a redirect to another
/// origin, all headers are dropped that may identify the sender.
/// <list type="bullet">
/// <item>301 and 302 are followed for GET and HEAD only, and are otherwise returned, because clients treat them differently.</item>
/// <item>303 is followed with GET, or HEAD.</item>
/// <item>307 and 308 are followed with the same method and body.</item>
/// </list>
/// </summary>
internal sealed class RedirectHandler(EgressGuard guard, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    private const int MaxRedirects = 5;

    /// <summary>The headers that are also sent to another origin.</summary>
    private static readonly string[] HarmlessHeaders =
    [
        "Accept",
        "Accept-Encoding",
        "Accept-Language",
        "Idempotency-Key",
        "MCP-Protocol-Version",
        "User-Agent",
    ];

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.Content is { } content)
        {
            await content.LoadIntoBufferAsync(cancellationToken); // so that it can be sent again
        }
        var current = request;
        for (var redirects = 0; ; redirects++)
        {
            var response = await base.SendAsync(current, cancellationToken);
            if (MethodOf(response.StatusCode, current.Method) is not { } method || response.Headers.Location is not { } location)
            {
                return response;
            }
            var target = new Uri(current.RequestUri!, location);
            using (response)
            {
                Check(current.RequestUri!, target, redirects);
            }
            current = Next(current, method, target);
        }
    }

    /// <summary>Returns the method of the next request, or null if the response is not followed.</summary>
    private static HttpMethod? MethodOf(HttpStatusCode status, HttpMethod method)
    {
        var isRead = method == HttpMethod.Get || method == HttpMethod.Head;
        return status switch
        {
            HttpStatusCode.MovedPermanently or HttpStatusCode.Found => isRead ? method : null,
            HttpStatusCode.SeeOther => isRead ? method : HttpMethod.Get,
            HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect => method,
            _ => null,
        };
    }

    /// <exception cref="EgressException">The redirect must not be followed.</exception>
    private void Check(Uri from, Uri target, int redirects)
    {
        if (redirects >= MaxRedirects)
        {
            throw new EgressException($"the server redirects more than {MaxRedirects} times");
        }
        if (target.Scheme is not ("http" or "https") || (from.Scheme == "https" && target.Scheme == "http"))
        {
            throw new EgressException($"the server redirects to the scheme '{target.Scheme}', which is not followed from '{from.Scheme}'");
        }
        if (!guard.Lists(target))
        {
            throw new EgressException($"the server redirects to the host '{target.Authority}', which is not allowed here");
        }
    }

    private static HttpRequestMessage Next(HttpRequestMessage current, HttpMethod method, Uri target)
    {
        var isSameOrigin = Uri.Compare(
            current.RequestUri,
            target,
            UriComponents.SchemeAndServer,
            UriFormat.Unescaped,
            StringComparison.OrdinalIgnoreCase
        );
        var next = new HttpRequestMessage(method, new UriBuilder(target) { UserName = "", Password = "" }.Uri)
        {
            Content = method == current.Method ? current.Content : null,
            Version = current.Version,
            VersionPolicy = current.VersionPolicy,
        };
        foreach (var (name, values) in current.Headers.NonValidated)
        {
            if (isSameOrigin == 0 || HarmlessHeaders.Contains(name, StringComparer.OrdinalIgnoreCase))
            {
                next.Headers.TryAddWithoutValidation(name, values);
            }
        }
        return next;
    }
}
