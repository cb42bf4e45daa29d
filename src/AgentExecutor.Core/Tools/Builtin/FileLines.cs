using System.Globalization;
using System.Text;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Tools.Builtin;

/// <summary>Shared code of the file tools: finding a file, and numbering lines.</summary>
internal static class FileLines
{
    /// <summary>The number of characters of a line that are shown when several lines are shown.</summary>
    public const int MaxLineLength = 2_000;

    /// <summary>Finds a file. If it does not exist, <paramref name="fault"/> is the answer to the model.</summary>
    public static bool TryFind(this ToolContext context, string given, out string path, out VirtualFile? file, out ToolResult fault)
    {
        (path, file, fault) = (given, null, default);
        if (!FilePath.TryNormalize(given, out var normal, out var why))
        {
            fault = ToolResult.Error($"Error: {why}.");
            return false;
        }
        path = normal;
        file = context.Node.Files[normal];
        fault = file is null ? ToolResult.Error($"Error: there is no file '{normal}'. Use ls or glob to list the files.") : default;
        return file is not null;
    }

    /// <summary>
    /// Appends a line in the format of <c>cat -n</c>: a right-aligned number, a tab, and the text. At most <paramref name="longest"/>
    /// characters from <paramref name="skip"/> on are shown, followed by how to read the rest.
    /// </summary>
    public static void AppendNumbered(StringBuilder text, int number, ReadOnlySpan<char> line, int skip = 0, int longest = MaxLineLength)
    {
        var from = WellFormedText.StartOf(line, Math.Min(skip, line.Length));
        var shown = WellFormedText.Start(line[from..], longest);
        text.Append(number.ToString(CultureInfo.InvariantCulture).PadLeft(6)).Append('\t').Append(shown);
        var end = from + shown.Length;
        if (end < line.Length)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"... ({line.Length - end} more characters: continue with offset {number - 1} and character {end})"
            );
        }
        text.Append('\n');
    }
}
