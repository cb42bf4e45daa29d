using AgentExecutor.Core;
using AgentExecutor.Server.Settings;
using Microsoft.AspNetCore.Http;

namespace AgentExecutor.Server.Api;

/// <summary>
/// Which web pages may watch. A browser opens a WebSocket to any host for any page, and says only whose page it is: without this check a page on the web could read what runs
/// on the machine of whoever looks at it.
/// </summary>
internal sealed class Origins(HttpSettings settings, bool isLocal)
{
    private readonly string[] _allowed = settings.AllowedOrigins.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>Lets through what is no page's request, or that of a page that may; to a page of another host it says so in the answer.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.OriginRefused"/>.</exception>
    public void Check(HttpContext context)
    {
        var origin = context.Request.Headers.Origin.ToString();
        if (origin.Length == 0 || IsOwn(origin, context.Request.Host))
        {
            return;
        }
        if (!_allowed.Contains("*") && !_allowed.Contains(origin, StringComparer.OrdinalIgnoreCase))
        {
            throw new FaultException(FaultCodes.OriginRefused, "pages of this origin may not watch", "name it in AGENT_EXECUTOR_HTTP_ALLOWED_ORIGINS");
        }
        context.Response.Headers.AccessControlAllowOrigin = origin;
        context.Response.Headers.Vary = "Origin";
    }

    /// <summary>A name of the web that was made to lead to this machine is not its own, though the browser takes it for that.</summary>
    private bool IsOwn(string origin, HostString host) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Authority.Equals(host.Value, StringComparison.OrdinalIgnoreCase) && (!isLocal || uri.IsLoopback);
}
