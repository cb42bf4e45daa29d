using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace AgentExecutor.Server.Metrics;

/// <summary>
/// Completes the output of the OpenTelemetry exporter for Prometheus as <c>docs/metrics.md</c> describes it: every metric is listed from
/// the start, and a series without labels is written without braces.
/// </summary>
internal static class ScrapeText
{
    private const string TypeLine = "# TYPE ";
    private const string NoLabels = "{} ";

    /// <param name="exported">The output of the exporter in the text format of Prometheus, version 0.0.4.</param>
    /// <param name="instruments">The instruments that must be listed.</param>
    /// <returns>The exported and the missing metrics, sorted by name.</returns>
    public static string Complete(string exported, IEnumerable<Instrument> instruments)
    {
        var metrics = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var metric in exported.Split(TypeLine, StringSplitOptions.RemoveEmptyEntries))
        {
            metrics[metric[..metric.IndexOf(' ', StringComparison.Ordinal)]] =
                TypeLine + string.Join('\n', metric.TrimEnd('\n').Split('\n').Select(WithoutBraces)) + "\n";
        }
        foreach (var instrument in instruments)
        {
            metrics.TryAdd(instrument.Name, Unrecorded(instrument));
        }
        return string.Concat(metrics.Values);
    }

    private static string WithoutBraces(string line)
    {
        var brace = line.IndexOf('{', StringComparison.Ordinal);
        return brace > 0 && line[0] != '#' && line.AsSpan(brace).StartsWith(NoLabels) ? line.Remove(brace, NoLabels.Length - 1) : line;
    }

    private static string Unrecorded(Instrument instrument)
    {
        var text = new StringBuilder();
        var type = instrument switch
        {
            Counter<long> => "counter",
            Histogram<double> => "histogram",
            _ => "gauge",
        };
        text.Append(
            CultureInfo.InvariantCulture,
            $"{TypeLine}{instrument.Name} {type}\n# HELP {instrument.Name} {instrument.Description}\n"
        );
        if (instrument is Histogram<double> { Advice.HistogramBucketBoundaries: { } bounds } && MetricCatalog.SeriesOf(instrument).Any())
        {
            foreach (var bound in bounds)
            {
                text.Append(CultureInfo.InvariantCulture, $"{instrument.Name}_bucket{{le=\"{bound}\"}} 0\n");
            }
            text.Append(
                CultureInfo.InvariantCulture,
                $"{instrument.Name}_bucket{{le=\"+Inf\"}} 0\n{instrument.Name}_sum 0\n{instrument.Name}_count 0\n"
            );
        }
        return text.ToString();
    }
}
