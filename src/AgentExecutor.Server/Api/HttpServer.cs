using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using AgentExecutor.Core;
using AgentExecutor.Server.Metrics;
using AgentExecutor.Server.Settings;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Api;

/// <summary>Kestrel with the service's routes. Each request is counted by its route and guarded against every fault.</summary>
internal sealed class HttpServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private HttpServer(WebApplication app) => _app = app;

    /// <summary>Where it listens.</summary>
    public string Url => _app.Urls.First();

    /// <summary>The routes, for whoever describes them.</summary>
    public IEnumerable<RouteEndpoint> Routes => ((IEndpointRouteBuilder)_app).DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>();

    /// <exception cref="FaultException">The port is taken, or the address is not this machine's.</exception>
    public static async Task<HttpServer> StartAsync(ServerSettings settings, bool isLocal, ServiceGate gate, Readiness readiness, MetricsRegistry metrics, ILoggerFactory loggers)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers);
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = settings.Http.MaxBodyBytes;
        });
        var host = settings.Http.Host.Length > 0 ? settings.Http.Host : isLocal ? IPAddress.Loopback.ToString() : "*";
        builder.WebHost.UseUrls($"http://{host}:{settings.Port}");
        var app = builder.Build();
        Map(app, settings, isLocal, gate, readiness, metrics, loggers);
        try
        {
            await app.StartAsync();
        }
        catch (Exception exception) when (exception is IOException or SocketException or FormatException)
        {
            await app.DisposeAsync();
            throw new FaultException("invalid_settings", $"cannot listen on {host}:{settings.Port}: {exception.Message}", "set PORT to a free port, and AGENT_EXECUTOR_HTTP_HOST to an address of this machine", exception);
        }
        return new HttpServer(app);
    }

    /// <summary>Answers what is being answered, for so long, and closes.</summary>
    public async Task StopAsync(TimeSpan atMost)
    {
        using var limit = new CancellationTokenSource(atMost, TimeProvider.System);
        await _app.StopAsync(limit.Token);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static void Map(WebApplication app, ServerSettings settings, bool isLocal, ServiceGate gate, Readiness readiness, MetricsRegistry metrics, ILoggerFactory loggers)
    {
        var problems = new Problems(settings.Http, loggers.CreateLogger<HttpServer>());
        app.Use(next => context => CountAsync(context, problems, next));
        app.UseWebSockets(new WebSocketOptions());
        app.UseRouting();
        app.Use(next => context => FindRouteAsync(context, next));
        var jobs = new JobEndpoints(gate);
        var threads = new ThreadEndpoints(gate);
        var streams = new StreamEndpoints(gate, new Origins(settings.Http, isLocal && settings.Http.Host.Length == 0), TimeSpan.FromSeconds(settings.Stream.HeartbeatSeconds), TimeProvider.System);
        var status = new StatusEndpoints(gate, readiness, metrics, TimeProvider.System);
        app.MapPost("/", jobs.ReceiveAsync);
        app.MapPost("/deepagents-runtime/invoke", jobs.InvokeAsync);
        Get("/deepagents-runtime/state/{thread_id}", jobs.StateAsync);
        app.MapPost("/threads/{thread_id}/cancel", threads.CancelAsync);
        app.MapPost("/threads/{thread_id}/resume", threads.ResumeAsync);
        Get("/threads/{thread_id}/history", threads.HistoryAsync);
        Get("/threads/{thread_id}/events", streams.EventsAsync);
        Get("/deepagents-runtime/stream/{thread_id}", streams.SocketAsync);
        Get("/health", status.HealthAsync);
        Get("/ready", status.ReadyAsync);
        Get("/metrics", status.MetricsAsync);
        Get("/openapi.json", StatusEndpoints.OpenApiAsync);

        // Kestrel leaves the body out of an answer to HEAD, and keeps its headers.
        void Get(string pattern, RequestDelegate answer) => app.MapMethods(pattern, [HttpMethods.Get, HttpMethods.Head], answer);
    }

    /// <summary>A path or a method that nothing answers is a fault like others.</summary>
    private static Task FindRouteAsync(HttpContext context, RequestDelegate next) => context.GetEndpoint() switch
    {
        null => throw new FaultException(FaultCodes.UnknownRoute, $"there is nothing at {context.Request.Path}", "GET /openapi.json lists what there is"),
        RouteEndpoint => next(context),
        { } rejection => RejectAsync(context, rejection),
    };

    /// <summary>The path is one of ours and the method is not. The router's own endpoint knows which methods the path takes.</summary>
    private static async Task RejectAsync(HttpContext context, Endpoint rejection)
    {
        await rejection.RequestDelegate!(context);
        context.Response.Headers.Allow = $"{context.Response.Headers.Allow}, OPTIONS";
        if (!HttpMethods.IsOptions(context.Request.Method))
        {
            throw new FaultException(FaultCodes.MethodNotAllowed, $"{context.Request.Path} takes no {context.Request.Method}", "GET /openapi.json lists what there is");
        }
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    /// <summary>Counts a request when its answer begins: who watches is answered at once, however long the events go on.</summary>
    private static async Task CountAsync(HttpContext context, Problems problems, RequestDelegate next)
    {
        var started = Stopwatch.GetTimestamp();
        var isCounted = false;
        context.Response.OnStarting(CountOnceAsync);
        await problems.GuardAsync(context, it => next(it));
        await CountOnceAsync(); // one that was not answered, or without a body

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
        var method = context.Request.Method is "GET" or "POST" or "PUT" or "DELETE" or "HEAD" or "OPTIONS" or "PATCH" ? context.Request.Method : "other";
        Telemetry.HttpRequests.Add(
            1, KeyValuePair.Create<string, object?>("method", method), KeyValuePair.Create<string, object?>("endpoint", endpoint),
            KeyValuePair.Create<string, object?>("status", context.Response.StatusCode));
        Telemetry.HttpRequestDuration.Record(
            Stopwatch.GetElapsedTime(started).TotalSeconds, KeyValuePair.Create<string, object?>("method", method), KeyValuePair.Create<string, object?>("endpoint", endpoint));
    }
}
