using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Server.View;

/// <summary>Formats events as short texts.</summary>
internal static class EventText
{
    /// <summary>Formats a tool call, such as <c>grep(pattern="500", output_mode="count")</c>, shortened to fit on a line.</summary>
    public static string Of(ToolCall call)
    {
        var arguments = call.Arguments.ValueKind switch
        {
            JsonValueKind.Object => string.Join(
                ", ",
                call.Arguments.EnumerateObject().Select(it => $"{it.Name}={Short(JsonBytes.Compact(it.Value), 48)}")
            ),
            JsonValueKind.Undefined => "…", // events omit long arguments
            _ => Short(JsonBytes.Display(call.Arguments), 48),
        };
        return $"{call.Name}({arguments})";
    }

    /// <summary>The text on one line, cut at a length, and safe for a terminal.</summary>
    public static string Short(string text, int length)
    {
        var line = Safe(text.Length > length * 4 ? text[..(length * 4)] : text).ReplaceLineEndings(" ").Replace('\t', ' ').Trim();
        return line.Length <= length && text.Length <= length * 4 ? line : line[..Math.Min(line.Length, length - 1)] + "…";
    }

    /// <summary>The end of the text on one line, starting with a whole word.</summary>
    public static string Tail(string text, int length)
    {
        var line = Safe(text.Length > length ? text[^length..] : text).ReplaceLineEndings(" ").Trim();
        return text.Length <= length ? line : "…" + line[(line.IndexOf(' ', StringComparison.Ordinal) + 1)..];
    }

    /// <summary>Removes control sequences and bidirectional marks, because models and tools determine the text.</summary>
    public static string Safe(string text) => text.Any(IsUnsafe) ? string.Concat(text.Select(it => IsUnsafe(it) ? '\uFFFD' : it)) : text;

    /// <summary>The nodes of a superstep of a workflow, such as <c>tax x5</c>. Null for an agent, whose calls are shown instead.</summary>
    public static string? Steps(RunEvent.StateUpdated updated) =>
        updated.Nodes.IsEmpty
        || updated.Nodes.All(node => node is AgentGraph.Model or AgentGraph.Tools or AgentGraph.Summarize or AgentGraph.Repair)
            ? null
            : string.Join(
                ", ",
                updated.Nodes.GroupBy(node => node).Select(group => group.Count() > 1 ? $"{group.Key} x{group.Count()}" : group.Key)
            );

    private static bool IsUnsafe(char it) =>
        (char.IsControl(it) && it is not ('\n' or '\r' or '\t')) || it is (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069');

    public static string Duration(TimeSpan duration) =>
        duration.TotalSeconds >= 1 ? $"{duration.TotalSeconds:0.0} s" : $"{duration.TotalMilliseconds:0} ms";
}
