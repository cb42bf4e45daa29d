namespace AgentExecutor.Server.Commands.Reports;

/// <summary>A table with columns as wide as their content, readable in a terminal and by <c>grep</c> and <c>awk</c>.</summary>
internal sealed class TextTable(params string[] headers)
{
    private readonly List<string[]> _rows = [];

    public void Add(params string[] row) => _rows.Add(row);

    public void Write(TextWriter writer, string whenEmpty)
    {
        if (_rows.Count == 0)
        {
            writer.WriteLine(whenEmpty);
            return;
        }
        var widths = headers
            .Select(
                (header, column) => _rows.Max(row => row[column].Length) is var widest && widest > header.Length ? widest : header.Length
            )
            .ToArray();
        foreach (var row in _rows.Prepend(headers))
        {
            writer.WriteLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
        }
    }
}
