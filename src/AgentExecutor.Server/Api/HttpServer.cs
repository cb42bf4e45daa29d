using System.Diagnostics;
using System.Net;
using System.Text;
using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Server.Api.Checks;
using AgentExecutor.Server.Settings;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Api;

/// <summary>Kestrel with the routes of the service. Each request is counted by its route, and every exception becomes a response.</summary>
internal static class HttpServer
{
    /// <summary>Registers the web server, its endpoints, and what they need.</summary>
    public static void AddHttp(this WebApplicationBuilder builder, ServerSettings settings)
    {
        builder.Services.AddRoutingCore();
        builder
            .Services.AddSingleton(_ => new RequestCheck(settings.Http, RouteMediaTypes.Current))
            .AddSingleton<ReadLimit>()
            .AddSingleton<RunStates>()
            .AddSingleton<JobEndpoints>()
            .AddSingleton<ThreadEndpoints>()
            .AddSingleton<QuestionEndpoints>()
            .AddSingleton<StreamEndpoints>()
            .AddSingleton<StatusEndpoints>();
        builder
            .WebHost.UseKestrelCore()
            .UseUrls($"http://{Address(settings)}")
            .ConfigureKestrel(kestrel =>
            {
                kestrel.AddServerHeader = false;
                // Latin1 accepts every byte. Requests.Headers decodes the values that are UTF-8.
                kestrel.RequestHeaderEncodingSelector = static _ => Encoding.Latin1;
                kestrel.Limits.MaxRequestBodySize = settings.Http.MaxBodyBytes;
            });
    }

    /// <summary>The host and port to listen on. By default, a process without PostgreSQL and NATS only accepts local connections.</summary>
    public static string Address(ServerSettings settings)
    {
        var isEmbedded = !AdapterCatalog.IsNamed(settings.Postgres) && !AdapterCatalog.IsNamed(settings.Nats);
        return $"{(settings.Http.Host.Length > 0 ? settings.Http.Host : isEmbedded ? IPAddress.Loopback.ToString() : "*")}:{settings.Port}";
    }

    /// <summary>Maps the routes, and adds the checks for all requests.</summary>
    public static void MapHttp(this WebApplication app)
    {
        var services = app.Services;
        var check = services.GetRequiredService<RequestCheck>();
        var problems = new Problems(
            services.GetRequiredService<HttpSettings>(),
            services.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(HttpServer))
        );
        app.Use(next => context => CountAsync(context, problems, next));
        app.UseWebSockets(new WebSocketOptions());
        app.UseRouting();
        app.Use(next => context => check.RunAsync(context, next));
        app.Use(next => context => FindRouteAsync(context, next));
        JobEndpoints.Map(app);
        ThreadEndpoints.Map(app);
        QuestionEndpoints.Map(app);
        StreamEndpoints.Map(app);
        services.GetRequiredService<StatusEndpoints>().Map(app);
    }

    /// <summary>Maps GET and HEAD. For HEAD, Kestrel sends the headers of the response without its body.</summary>
    public static void MapRead(this WebApplication app, string pattern, RequestDelegate respond) =>
        app.MapMethods(pattern, [HttpMethods.Get, HttpMethods.Head], respond);

    /// <summary>Reports an unknown path or method like every other error.</summary>
    private static Task FindRouteAsync(HttpContext context, RequestDelegate next) =>
        context.GetEndpoint() switch
        {
            null => throw new FaultException(
                FaultCodes.UnknownRoute,
                $"there is no route {context.Request.Path}",
                "GET /openapi.json lists all routes"
            ),
            RouteEndpoint => next(context),
            { } rejection => RejectAsync(context, rejection),
        };

    /// <summary>
    /// Answers a request whose path exists, but not with this method. The endpoint of the router knows the allowed methods.
    /// </summary>
    private static async Task RejectAsync(HttpContext context, Endpoint rejection)
    {
        await rejection.RequestDelegate!(context);
        context.Response.Headers.Allow = $"{context.Response.Headers.Allow}, OPTIONS";
        if (!HttpMethods.IsOptions(context.Request.Method))
        {
            throw new FaultException(
                FaultCodes.MethodNotAllowed,
                $"{context.Request.Path} does not accept {context.Request.Method}",
                "GET /openapi.json lists all routes"
            );
        }
        if (Origins.IsPreflight(context.Request))
        {
            context.Response.Headers.AccessControlAllowMethods = context.Response.Headers.Allow;
        }
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    /// <summary>Counts a request when its response starts, because the response to a watcher can last for hours.</summary>
    private static async Task CountAsync(HttpContext context, Problems problems, RequestDelegate next)
    {
        var started = Stopwatch.GetTimestamp();
        var isCounted = false;
        context.Response.OnStarting(CountOnceAsync);
        await problems.GuardAsync(context, it => next(it));
        await CountOnceAsync(); // for requests whose response has no body or was never started

        Task CountOnceAsync()
        {
            if (!isCounted)
            {
                isCounted = true;
                Count(context, started);
            }
            return Task.CompletedTask;
        }
    }

    private static void Count(HttpContext context, long started)
    {
        var endpoint = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "none";
        var method = context.Request.Method is "GET" or "POST" or "PUT" or "DELETE" or "HEAD" or "OPTIONS" or "PATCH"
            ? context.Request.Method
            : "other";
        Telemetry.HttpRequests.Add(
            1,
            KeyValuePair.Create<string, object?>("method", method),
            KeyValuePair.Create<string, object?>("endpoint", endpoint),
            KeyValuePair.Create<string, object?>("status", context.Response.StatusCode)
        );
        Telemetry.HttpRequestDuration.Record(
            Stopwatch.GetElapsedTime(started).TotalSeconds,
            KeyValuePair.Create<string, object?>("method", method),
            KeyValuePair.Create<string, object?>("endpoint", endpoint)
        );
    }
}
