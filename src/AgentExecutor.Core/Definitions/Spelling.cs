namespace AgentExecutor.Core.Definitions;

/// <summary>Suggests what a misspelt name may have meant.</summary>
public static class Spelling
{
    private const int MinGuessLength = 3;

    /// <summary>
    /// Returns the nearest candidate whose edit distance is at most a third of the name's length, or null. Case, hyphens, underscores and
    /// spaces are ignored.
    /// </summary>
    public static string? Nearest(string name, IEnumerable<string> candidates) => Near(name, candidates).FirstOrDefault();

    /// <summary>Returns the candidates whose edit distance is at most a third of the name's length, the nearest first.</summary>
    public static IEnumerable<string> Near(string name, IEnumerable<string> candidates)
    {
        var plain = Plain(name);
        var most = plain.Length < MinGuessLength ? 0 : Math.Max(1, plain.Length / 3);
        return candidates
            .Select(candidate => (Candidate: candidate, Distance: Distance(plain, Plain(candidate), most)))
            .Where(pair => pair.Distance <= most)
            .OrderBy(pair => pair.Distance)
            .ThenBy(pair => pair.Candidate, StringComparer.Ordinal)
            .Select(pair => pair.Candidate);
    }

    /// <summary>Returns a hint: "did you mean 'x'?", or else the list of known names.</summary>
    public static string Hint(string name, IEnumerable<string> known, string what)
    {
        var list = known.ToList();
        return Nearest(name, list) is { } near ? $"did you mean '{near}'?"
            : list.Count == 0 ? $"there are no {what}"
            : $"known {what}: {string.Join(", ", list.Take(20))}";
    }

    private static string Plain(string name) =>
        string.Concat(name.Where(it => it is not ('-' or '_' or ' ')).Select(char.ToLowerInvariant));

    /// <summary>
    /// Returns the edit distance of two texts, counting two swapped neighbours as one edit. The result is greater than
    /// <paramref name="most"/> if their lengths differ by more than that.
    /// </summary>
    private static int Distance(string left, string right, int most)
    {
        if (Math.Abs(left.Length - right.Length) > most)
        {
            return most + 1;
        }
        var (beforeLast, last, row) = (
            new int[right.Length + 1],
            new int[right.Length + 1],
            Enumerable.Range(0, right.Length + 1).ToArray()
        );
        for (var i = 1; i <= left.Length; i++)
        {
            (beforeLast, last, row) = (last, row, beforeLast);
            row[0] = i;
            for (var j = 1; j <= right.Length; j++)
            {
                var substitution = last[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
                row[j] = Math.Min(substitution, Math.Min(last[j], row[j - 1]) + 1);
                if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                {
                    row[j] = Math.Min(row[j], beforeLast[j - 2] + 1);
                }
            }
        }
        return row[^1];
    }
}
