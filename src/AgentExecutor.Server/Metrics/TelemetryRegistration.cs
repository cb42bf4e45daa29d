using AgentExecutor.Core;
using AgentExecutor.Server.Settings;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace AgentExecutor.Server.Metrics;

/// <summary>
/// Registers OpenTelemetry: always metrics for Prometheus, and metrics and traces over OTLP if the <c>OTEL_*</c> variables enable it.
/// </summary>
internal static class TelemetryRegistration
{
    public static void AddTelemetry(this WebApplicationBuilder builder, ServerSettings settings)
    {
        var export = settings.OpenTelemetry;
        builder.Configuration.AddInMemoryCollection(export.Variables());
        var telemetry = builder
            .Services.AddSingleton<MetricsEndpoint>()
            .AddOpenTelemetry()
            .WithMetrics(metrics =>
            {
                metrics
                    .SetResourceBuilder(Resource())
                    .AddMeter(Telemetry.Name)
                    .AddPrometheusExporter(static options =>
                    {
                        options.ScopeInfoEnabled = false; // there is only one meter, so every series would have the same label
                        options.TargetInfoEnabled = false; // Prometheus adds its own labels for the target
                        options.ScrapeResponseCacheDurationMilliseconds = 0;
                    });
                if (export.ExportsMetrics)
                {
                    metrics.AddOtlpExporter();
                }
            });
        if (export.ExportsTraces)
        {
            telemetry.WithTracing(traces => traces.SetResourceBuilder(Resource()).AddSource(Telemetry.Name).AddOtlpExporter());
        }
        builder.Services.AddHostedService<MetricSeeding>();
    }

    /// <summary>OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are read last, so they take precedence.</summary>
    private static ResourceBuilder Resource() =>
        ResourceBuilder
            .CreateEmpty()
            .AddService("agent-executor", serviceVersion: typeof(TelemetryRegistration).Assembly.GetName().Version!.ToString(3))
            .AddTelemetrySdk()
            .AddEnvironmentVariableDetector();
}
