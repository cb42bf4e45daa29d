using System.Globalization;
using System.Text;
using AgentExecutor.Core.Files;

namespace AgentExecutor.Core.Tools.Builtin;

/// <summary>What the file tools share: finding a file, and lines with numbers.</summary>
internal static class FileLines
{
    public const int LongestLine = 2_000;

    /// <summary>The file, or what to tell the model.</summary>
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
        fault = file is null ? ToolResult.Error($"Error: there is no file '{normal}'. Use ls or glob to see which there are.") : default;
        return file is not null;
    }

    /// <summary>As <c>cat -n</c> prints it: a right-aligned number, a tab, the line cut at <see cref="LongestLine"/> characters.</summary>
    public static void AppendNumbered(StringBuilder text, int number, ReadOnlySpan<char> line)
    {
        text.Append(CultureInfo.InvariantCulture, $"{number,6}\t").Append(line.Length > LongestLine ? line[..LongestLine] : line);
        if (line.Length > LongestLine)
        {
            text.Append(CultureInfo.InvariantCulture, $"... ({line.Length - LongestLine} characters more)");
        }
        text.Append('\n');
    }
}
