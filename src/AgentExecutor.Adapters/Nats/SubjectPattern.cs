namespace AgentExecutor.Adapters.Nats;

/// <summary>Compares subjects of streams, in which <c>*</c> matches one token and a final <c>&gt;</c> one or more.</summary>
internal static class SubjectPattern
{
    /// <summary>Returns true if one of the patterns matches everything that the subject matches.</summary>
    public static bool AnyCovers(IEnumerable<string>? patterns, string subject) =>
        patterns?.Any(pattern => Covers(pattern, subject)) == true;

    /// <summary>Returns true if there is a subject that both match.</summary>
    public static bool Overlap(string one, string other)
    {
        var (first, second) = (one.Split('.'), other.Split('.'));
        for (var i = 0; i < Math.Min(first.Length, second.Length); i++)
        {
            if (first[i] == ">" || second[i] == ">")
            {
                return true;
            }
            if (first[i] != "*" && second[i] != "*" && first[i] != second[i])
            {
                return false;
            }
        }
        return first.Length == second.Length;
    }

    /// <summary>Returns true if the pattern matches everything that the subject matches.</summary>
    public static bool Covers(string pattern, string subject)
    {
        var (wide, narrow) = (pattern.Split('.'), subject.Split('.'));
        for (var i = 0; i < wide.Length; i++)
        {
            if (wide[i] == ">")
            {
                return narrow.Length > i;
            }
            if (i >= narrow.Length || narrow[i] == ">" || (wide[i] != "*" && wide[i] != narrow[i]))
            {
                return false;
            }
        }
        return wide.Length == narrow.Length;
    }
}
