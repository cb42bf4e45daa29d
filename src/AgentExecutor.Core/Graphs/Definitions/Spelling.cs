namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>Finds what a misspelt name may have meant.</summary>
public static class Spelling
{
    /// <summary>The nearest candidate within a third of the name's length in edits, or null.</summary>
    public static string? Nearest(string name, IEnumerable<string> candidates) => candidates
        .Select(candidate => (Candidate: candidate, Distance: Distance(name, candidate)))
        .Where(pair => pair.Distance <= Math.Max(1, name.Length / 3))
        .OrderBy(pair => pair.Distance).ThenBy(pair => pair.Candidate, StringComparer.Ordinal)
        .Select(pair => pair.Candidate).FirstOrDefault();

    /// <summary>"did you mean 'x'?", or the list of what is known.</summary>
    public static string Hint(string name, IEnumerable<string> known, string what)
    {
        var list = known.ToList();
        return Nearest(name, list) is { } near ? $"did you mean '{near}'?"
            : list.Count == 0 ? $"there are no {what}"
            : $"known {what}: {string.Join(", ", list.Take(20))}";
    }

    private static int Distance(string left, string right)
    {
        var row = Enumerable.Range(0, right.Length + 1).ToArray();
        for (var i = 1; i <= left.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= right.Length; j++)
            {
                var substitution = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substitution, Math.Min(row[j], row[j - 1]) + 1);
            }
        }
        return row[^1];
    }
}
