using AgentExecutor.Server.Api;
using AgentExecutor.Server.Composition;
using AgentExecutor.Server.Hosting;
using AgentExecutor.Server.Logging;
using AgentExecutor.Server.Settings;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;

namespace AgentExecutor.Tests.Api;

/// <summary>The service with its routes but without its background loops. Its store is never opened.</summary>
internal static class HttpOnly
{
    public static async Task<WebApplication> StartAsync(ServerSettings settings, Shutdown shutdown)
    {
        var app = ServeHost.CreateBuilder(settings, LineLoggers.ForCommands, shutdown).Build();
        app.MapHttp();
        await app.StartAsync(TestContext.Current.CancellationToken);
        return app;
    }

    public static IEnumerable<RouteEndpoint> RoutesOf(WebApplication app) =>
        ((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>();
}
