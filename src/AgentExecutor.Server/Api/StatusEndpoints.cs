using AgentExecutor.Server.Metrics;
using Microsoft.AspNetCore.Http;

namespace AgentExecutor.Server.Api;

/// <summary>What those who run the service ask: is it alive, is it ready, what does it count, what can it be asked.</summary>
internal sealed class StatusEndpoints(ServiceGate gate, Readiness readiness, MetricsRegistry metrics, TimeProvider time)
{
    private static readonly Lazy<byte[]> OpenApi = new(static () =>
    {
        using var file = typeof(StatusEndpoints).Assembly.GetManifestResourceStream("openapi.json")!;
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    });

    public Task HealthAsync(HttpContext context) => Requests.WriteAsync(context, StatusCodes.Status200OK, writer =>
    {
        writer.WriteString("status"u8, "healthy"u8);
        writer.WriteString("timestamp"u8, time.GetUtcNow());
    });

    public Task ReadyAsync(HttpContext context)
    {
        var services = readiness.Services;
        var isReady = gate.Service is not null && !gate.IsStopping && services.All(service => service.IsUp || !service.IsNeeded);
        return Requests.WriteAsync(context, isReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable, writer =>
        {
            writer.WriteString("status"u8, isReady ? "ready"u8 : "not_ready"u8);
            writer.WriteStartObject("services"u8);
            foreach (var (name, isUp, _) in services)
            {
                writer.WriteBoolean(name, isUp);
            }
            writer.WriteEndObject();
            writer.WriteString("timestamp"u8, time.GetUtcNow());
        });
    }

    public async Task MetricsAsync(HttpContext context)
    {
        context.Response.ContentType = MetricsRegistry.ContentType;
        await metrics.WriteAsync(context.Response.BodyWriter, context.RequestAborted);
    }

    public static Task OpenApiAsync(HttpContext context) => Requests.WriteAsync(context, StatusCodes.Status200OK, OpenApi.Value);
}
