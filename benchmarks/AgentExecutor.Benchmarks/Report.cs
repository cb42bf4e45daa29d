using System.Globalization;
using System.Text.Json;

namespace AgentExecutor.Benchmarks;

/// <summary>Prints figures as a table and, with <c>--json</c>, as one JSON object in the last line.</summary>
internal static class Report
{
    public static int Print(IReadOnlyDictionary<string, double> figures, bool json)
    {
        var width = figures.Keys.Max(name => name.Length);
        foreach (var (name, value) in figures)
        {
            Console.WriteLine($"{name.PadRight(width)}  {value.ToString("N3", CultureInfo.InvariantCulture).PadLeft(18)}");
        }
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(figures.ToDictionary(figure => figure.Key, figure => Math.Round(figure.Value, 4))));
        }
        return 0;
    }

    public static int Usage()
    {
        Console.Error.WriteLine(
            """
            usage: AgentExecutor.Benchmarks BENCHMARK [--json]

            engine
            store     [--store sqlite|postgres|memory]
            steps     [--store postgres|sqlite|memory]
            failover  [--store postgres]
            jobs      [--bus nats] [--store postgres]
            queue     [--store postgres|sqlite|memory]
            stream
            models
            tools
            """
        );
        return 2;
    }

    public static string? Option(string[] args, string name) =>
        Array.IndexOf(args, name) is >= 0 and var index && index + 1 < args.Length ? args[index + 1] : null;

    /// <summary>Returns the quantile of the sorted samples.</summary>
    public static double Percentile(double[] sorted, double share) => sorted[(int)Math.Min(sorted.Length - 1, sorted.Length * share)];
}
