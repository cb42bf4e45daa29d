using System.Diagnostics;
using System.Text.Json;

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>An OpenTelemetry Collector that writes what it receives to a file. The test is skipped if the test tools are missing.</summary>
internal sealed class OtelCollector : IAsyncDisposable
{
    private readonly string _program = TestTools.Program("otel/otelcol"); // first, because it skips the test if the tools are missing
    private readonly string _directory = Directory.CreateTempSubdirectory("agent-executor-otel-").FullName;

    public string Grpc { get; private set; } = "";

    public string Http { get; private set; } = "";

    public static async Task<OtelCollector> StartAsync()
    {
        var collector = new OtelCollector();
        var addresses = (await collector.CallAsync("up"))
            .Split('\n')
            .Where(line => line.Contains('=', StringComparison.Ordinal))
            .Select(line => line["export ".Length..].Split('=', 2))
            .ToDictionary(pair => pair[0], pair => pair[1].Trim());
        (collector.Grpc, collector.Http) = (addresses["OTLP_GRPC"], addresses["OTLP_HTTP"]);
        return collector;
    }

    /// <summary>Everything that was received, as lines of OTLP JSON.</summary>
    public string Received() => File.Exists(ReceivedFile) ? File.ReadAllText(ReceivedFile) : "";

    public IReadOnlyList<JsonElement> Spans() => [.. Items("resourceSpans", "scopeSpans", "spans")];

    public IReadOnlySet<string> MetricNames() =>
        Items("resourceMetrics", "scopeMetrics", "metrics")
            .Select(metric => metric.GetProperty("name").GetString()!)
            .ToHashSet(StringComparer.Ordinal);

    public async ValueTask DisposeAsync()
    {
        await CallAsync("down");
        Directory.Delete(_directory, recursive: true);
    }

    private string ReceivedFile => Path.Combine(_directory, "received.jsonl");

    private IEnumerable<JsonElement> Items(string resources, string scopes, string items) =>
        Received()
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => line.EndsWith('}')) // The last line may be incomplete.
            .Select(line => JsonElement.Parse(line))
            .SelectMany(json => Below(json, resources))
            .SelectMany(resource => Below(resource, scopes))
            .SelectMany(scope => Below(scope, items));

    private static IEnumerable<JsonElement> Below(JsonElement json, string property) =>
        json.TryGetProperty(property, out var list) ? list.EnumerateArray() : [];

    private async Task<string> CallAsync(string command)
    {
        using var process = Process.Start(
            new ProcessStartInfo(_program, [command, "--dir", _directory]) { RedirectStandardOutput = true }
        )!;
        // Not cancelled, so that the collector is also stopped after a failed test.
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
        return output;
    }
}
