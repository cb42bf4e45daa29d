using System.Globalization;
using System.Text;

namespace AgentExecutor.Server.Metrics;

/// <summary>
/// Labels as the text format writes them between the braces: <c>method="GET",status="200"</c>. Sorted by name and without repeats, so equal
/// labels give equal texts, whatever order a recording named them in: the text is what a series is known by.
/// </summary>
internal static class LabelText
{
    /// <summary>Takes the place of every value once an instrument has too many series.</summary>
    public const string Folded = "other";

    public static string Of(ReadOnlySpan<KeyValuePair<string, object?>> tags) => Join(tags, isFolded: false);

    public static string FoldedOf(ReadOnlySpan<KeyValuePair<string, object?>> tags) => Join(tags, isFolded: true);

    /// <summary>A name of a metric or a label with every character that the format forbids, such as the dot, made an underscore.</summary>
    public static string NameOf(string name)
    {
        var safe = string.Create(name.Length, name, (characters, from) =>
        {
            for (var index = 0; index < from.Length; index++)
            {
                characters[index] = char.IsAsciiLetterOrDigit(from[index]) ? from[index] : '_';
            }
        });
        return safe.Length == 0 || char.IsAsciiDigit(safe[0]) ? $"_{safe}" : safe;
    }

    private static string Join(ReadOnlySpan<KeyValuePair<string, object?>> tags, bool isFolded)
    {
        var labels = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in tags)
        {
            labels[NameOf(name)] = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
        }
        var text = new StringBuilder();
        foreach (var (name, value) in labels)
        {
            if (value.Length > 0) // to Prometheus an empty label is none: writing both could give one series twice
            {
                text.Append(text.Length > 0 ? "," : "").Append(name).Append("=\"");
                AppendEscaped(text, isFolded ? Folded : value);
                text.Append('"');
            }
        }
        return text.ToString();
    }

    private static void AppendEscaped(StringBuilder text, string value)
    {
        foreach (var rune in value.EnumerateRunes()) // by rune: half a surrogate pair becomes what UTF-8 writes for it, before texts are compared
        {
            _ = rune.Value switch
            {
                '\\' => text.Append("\\\\"),
                '"' => text.Append("\\\""),
                '\n' => text.Append("\\n"),
                _ => text.Append(rune.ToString()),
            };
        }
    }
}
