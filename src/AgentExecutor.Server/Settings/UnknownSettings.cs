using AgentExecutor.Core.Definitions;

namespace AgentExecutor.Server.Settings;

/// <summary>Suggests existing settings for an unknown variable.</summary>
internal static class UnknownSettings
{
    private const int MostGuesses = 3;

    public static string Fault(string variable, string name)
    {
        var guesses = GuessesFor(name).Distinct().Take(MostGuesses).ToList();
        var hint = guesses.Count == 0 ? "" : $"Did you mean {string.Join(" or ", guesses)}? ";
        return $"{variable} is not a setting. {hint}All settings are listed in docs/configuration.md.";
    }

    private static IEnumerable<string> GuessesFor(string written)
    {
        var name = written.ToUpperInvariant();
        var all = SettingsReader.AllNames().ToList();
        IEnumerable<string> wellKnown = SettingsReader.WellKnown.Keys;
        return
        [
            .. wellKnown.Where(known => known == name),
            .. all.Where(known => known == name).Select(Prefixed),
            .. Spelling.Near(name, all).Select(Prefixed),
            .. Spelling.Near(name, wellKnown),
            .. Spelling.Near(name, [SettingsReader.FileVariable[SettingsReader.Prefix.Length..]]).Select(Prefixed),
            .. all.Where(known => known.StartsWith(name + "_", StringComparison.Ordinal)).Select(Prefixed),
            .. Alike(name, all).Select(Prefixed),
        ];
    }

    /// <summary>Settings of the same section, those with the most words in common first.</summary>
    private static IEnumerable<string> Alike(string name, List<string> all)
    {
        var words = name.Split('_');
        return all.Where(known => known.StartsWith(words[0] + "_", StringComparison.Ordinal))
            .OrderByDescending(known => known.Split('_').Intersect(words).Count());
    }

    private static string Prefixed(string name) => SettingsReader.Prefix + name;
}
