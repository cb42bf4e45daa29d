using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace AgentExecutor.Server.Metrics;

/// <summary>
/// <c>GET /metrics</c>: the output of the OpenTelemetry exporter, completed by <see cref="ScrapeText"/>.
/// <para>
/// The response always has the text format, even if the scraper prefers OpenMetrics. In the OpenMetrics format the exporter adds a series
/// <c>..._created</c> for each series of a counter or histogram, which nearly doubles the data that Prometheus stores.
/// </para>
/// </summary>
internal sealed class MetricsEndpoint
{
    private readonly RequestDelegate _exporter;

    public MetricsEndpoint(IServiceProvider services)
    {
        var pipeline = new ApplicationBuilder(services);
        pipeline.UseOpenTelemetryPrometheusScrapingEndpoint(static _ => true);
        _exporter = pipeline.Build();
    }

    public async Task RespondAsync(HttpContext context)
    {
        var body = context.Response.Body;
        using var exported = new MemoryStream();
        context.Request.Headers.Accept = default;
        context.Response.Body = exported;
        try
        {
            await _exporter(context);
        }
        finally
        {
            context.Response.Body = body;
        }
        if (context.Response.StatusCode != StatusCodes.Status200OK)
        {
            return;
        }
        var text = ScrapeText.Complete(Encoding.UTF8.GetString(exported.GetBuffer(), 0, (int)exported.Length), MetricCatalog.Instruments);
        await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(text), context.RequestAborted);
    }
}
