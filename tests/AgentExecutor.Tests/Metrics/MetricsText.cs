using System.Buffers;
using System.Text;
using AgentExecutor.Server.Metrics;

namespace AgentExecutor.Tests.Metrics;

internal static class MetricsText
{
    public static string Of(MetricsRegistry registry)
    {
        var output = new ArrayBufferWriter<byte>();
        registry.Write(output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    public static string[] LinesOf(MetricsRegistry registry) => Of(registry).Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
