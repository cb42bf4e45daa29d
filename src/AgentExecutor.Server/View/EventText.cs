using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Server.View;

/// <summary>Short texts for events.</summary>
internal static class EventText
{
    /// <summary><c>grep(pattern="500", output_mode="count")</c>, cut to fit a line.</summary>
    public static string Of(ToolCall call)
    {
        var arguments = call.Arguments.ValueKind == JsonValueKind.Object
            ? string.Join(", ", call.Arguments.EnumerateObject().Select(it => $"{it.Name}={Short(JsonBytes.Compact(it.Value), 48)}"))
            : Short(JsonBytes.Display(call.Arguments), 48);
        return $"{call.Name}({arguments})";
    }

    public static string Short(string text, int length)
    {
        var line = text.ReplaceLineEndings(" ").Trim();
        return line.Length <= length ? line : line[..(length - 1)] + "…";
    }

    public static string Duration(TimeSpan duration) => duration.TotalSeconds >= 1 ? $"{duration.TotalSeconds:0.0} s" : $"{duration.TotalMilliseconds:0} ms";
}
