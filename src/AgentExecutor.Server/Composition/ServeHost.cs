using System.Net.Sockets;
using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Server.Api;
using AgentExecutor.Server.Hosting;
using AgentExecutor.Server.Metrics;
using AgentExecutor.Server.Roles;
using AgentExecutor.Server.Settings;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Composition;

/// <summary>
/// The host of the service. Hosted services start in the order in which they are registered and stop in the opposite order, one after the
/// other:
/// <list type="number">
/// <item>Telemetry, the probes of <c>/ready</c>, the opening of the store, and the search for results that requests wait for.</item>
/// <item>The web server. It starts early, so that <c>/ready</c> responds before the store is open.</item>
/// <item>
/// Live events and the roles. They stop before the web server, so that requests which wait for a job or watch it receive a response.
/// </item>
/// </list>
/// </summary>
internal static class ServeHost
{
    /// <summary>Runs the service until it receives a signal to stop.</summary>
    /// <exception cref="FaultException">A setting is invalid, the port is in use, or the store cannot be opened.</exception>
    public static async Task RunAsync(ServerSettings settings, Role active, ILoggerFactory loggers)
    {
        using var shutdown = new Shutdown(TimeSpan.FromSeconds(settings.ShutdownDelaySeconds), TimeProvider.System);
        await using var app = Build(settings, active, loggers, shutdown);
        var logger = loggers.CreateLogger("AgentExecutor.Server");
        Log.Starting(
            logger,
            typeof(ServeHost).Assembly.GetName().Version!.ToString(3),
            active.ToString().ToLowerInvariant(),
            StoreChoice.Describe(settings),
            StoreChoice.DescribeBus(settings),
            StreamName(settings)
        );
        try
        {
            await StartAsync(app, settings);
            Log.Listening(logger, app.Urls.First());
            await app.WaitForShutdownAsync();
        }
        catch (OperationCanceledException)
        {
            // A signal arrived, or a background service failed, before the start was complete. A failure is thrown below.
        }
        finally
        {
            await app.StopAsync(); // has no effect unless the start failed
        }
        await ThrowIfFailedAsync(app);
    }

    /// <summary>
    /// Composes the service. It uses the empty builder of the framework, because the other builders read environment variables and
    /// <c>appsettings.json</c>, and add a console logger.
    /// </summary>
    public static WebApplication Build(ServerSettings settings, Role active, ILoggerFactory loggers, Shutdown shutdown)
    {
        var builder = CreateBuilder(settings, loggers, shutdown);
        builder
            .Services.AddSingleton<IHostLifetime, SignalLifetime>()
            .Configure<HostOptions>(static options => options.ShutdownTimeout = Timeout.InfiniteTimeSpan) // each part has its own timeout
            .AddHostedService<ReadinessLoop>()
            .AddHostedService<StoreOpener>()
            .AddHostedService<ResultWaitLoop>()
            .AddHostedService<BacklogLoop>();

        // The framework registers its web server when the host is built. These services are registered after it, so they start later and
        // stop earlier.
        builder.Host.ConfigureContainer<IServiceCollection>(
            (_, services) => services.AddHostedService<HttpClosing>().AddHostedService<LiveEventsLoop>().AddRoles(active)
        );
        var app = builder.Build();
        app.MapHttp();
        return app;
    }

    /// <summary>Creates a builder with all parts of the service, but without its loops.</summary>
    public static WebApplicationBuilder CreateBuilder(ServerSettings settings, ILoggerFactory loggers, Shutdown shutdown)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddServiceParts(settings, loggers, shutdown);
        builder.AddTelemetry(settings);
        builder.AddHttp(settings);
        return builder;
    }

    private static async Task StartAsync(WebApplication app, ServerSettings settings)
    {
        try
        {
            await app.StartAsync();
        }
        catch (Exception exception) when (exception is IOException or SocketException or FormatException)
        {
            throw new FaultException(
                "invalid_settings",
                $"cannot listen on {HttpServer.Address(settings)}: {exception.Message}",
                "set PORT to a free port, and AGENT_EXECUTOR_HTTP_HOST to an address of this machine",
                exception
            );
        }
    }

    /// <summary>
    /// Throws the exception of a background service that failed. The host stops in this case, but does not report the exception.
    /// </summary>
    private static async Task ThrowIfFailedAsync(WebApplication app)
    {
        foreach (var service in app.Services.GetServices<IHostedService>().OfType<BackgroundService>())
        {
            if (service.ExecuteTask is { IsFaulted: true } failed)
            {
                await failed;
            }
        }
    }

    private static string StreamName(ServerSettings settings) =>
        AdapterCatalog.IsNamed(settings.Redis) ? AdapterCatalog.Describe(settings.Redis) : "this process only";
}
