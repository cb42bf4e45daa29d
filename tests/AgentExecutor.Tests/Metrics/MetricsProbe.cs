using System.Text;
using AgentExecutor.Server.Metrics;
using AgentExecutor.Server.Settings;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;

namespace AgentExecutor.Tests.Metrics;

/// <summary>The metrics of the service as a scraper sees them, without a web server.</summary>
internal sealed class MetricsProbe : IAsyncDisposable
{
    private readonly WebApplication _app;

    public MetricsProbe()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore(); // the framework requires a server
        builder.AddTelemetry(new ServerSettings());
        _app = builder.Build();
        _ = _app.Services.GetRequiredService<MeterProvider>();
        MetricCatalog.SeedSeries();
    }

    /// <param name="accept">The formats that the scraper accepts.</param>
    public async Task<(string ContentType, string Text)> ScrapeAsync(string accept = "")
    {
        var context = new DefaultHttpContext();
        context.Request.Headers.Accept = accept;
        using var body = new MemoryStream();
        context.Response.Body = body;
        await _app.Services.GetRequiredService<MetricsEndpoint>().RespondAsync(context);
        return (context.Response.ContentType!, Encoding.UTF8.GetString(body.ToArray()));
    }

    public async Task<string[]> LinesAsync() => (await ScrapeAsync()).Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
