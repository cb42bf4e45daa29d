using System.Text.Json;
using AgentExecutor.Server.Hosting;
using AgentExecutor.Server.Metrics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AgentExecutor.Server.Api;

/// <summary>The routes for operators: liveness, readiness, metrics, and the description of the API.</summary>
internal sealed class StatusEndpoints(MetricsEndpoint metrics, TimeProvider time)
{
    private static readonly HttpMethodMetadata ReadMethods = new([HttpMethods.Get, HttpMethods.Head]);

    private static readonly Lazy<byte[]> OpenApi = new(static () =>
    {
        using var file = typeof(StatusEndpoints).Assembly.GetManifestResourceStream("openapi.json")!;
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    });

    public void Map(WebApplication app)
    {
        MapHealth(app, "/health", static _ => false, WriteHealthAsync);
        MapHealth(app, "/ready", static _ => true, WriteReadyAsync);
        app.MapRead("/metrics", metrics.RespondAsync);
        app.MapRead("/openapi.json", static context => Requests.WriteAsync(context, StatusCodes.Status200OK, OpenApi.Value));
    }

    private static void MapHealth(
        WebApplication app,
        string pattern,
        Func<HealthCheckRegistration, bool> checks,
        Func<HttpContext, HealthReport, Task> write
    ) =>
        app.MapHealthChecks(
                pattern,
                new HealthCheckOptions
                {
                    Predicate = checks,
                    ResponseWriter = write,
                    AllowCachingResponses = true,
                }
            )
            .WithMetadata(ReadMethods);

    private Task WriteHealthAsync(HttpContext context, HealthReport report) =>
        Requests.WriteAsync(
            context,
            context.Response.StatusCode,
            writer =>
            {
                writer.WriteString("status"u8, "healthy"u8);
                writer.WriteString("timestamp"u8, time.GetUtcNow());
            }
        );

    private Task WriteReadyAsync(HttpContext context, HealthReport report) =>
        Requests.WriteAsync(
            context,
            context.Response.StatusCode,
            writer =>
            {
                writer.WriteString("status"u8, report.Status == HealthStatus.Unhealthy ? "not_ready"u8 : "ready"u8);
                writer.WriteStartObject("services"u8);
                foreach (var (name, entry) in report.Entries.Where(static it => it.Key != ServiceCheck.Name))
                {
                    writer.WriteBoolean(name, entry.Status == HealthStatus.Healthy);
                }
                writer.WriteEndObject();
                WriteReasons(writer, report);
                writer.WriteString("timestamp"u8, time.GetUtcNow());
            }
        );

    private static void WriteReasons(Utf8JsonWriter writer, HealthReport report)
    {
        var reasons = report.Entries.Where(static it => it.Value is { Status: not HealthStatus.Healthy, Description: not null }).ToList();
        if (reasons.Count == 0)
        {
            return;
        }
        writer.WriteStartObject("reasons"u8);
        foreach (var (name, entry) in reasons)
        {
            writer.WriteString(name, entry.Description);
        }
        writer.WriteEndObject();
    }
}
