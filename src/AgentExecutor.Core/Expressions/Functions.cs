using System.Globalization;
using System.Text.RegularExpressions;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Expressions;

/// <summary>The functions of expressions. Each can be called as <c>f(x, y)</c> and as <c>x.f(y)</c>.</summary>
internal static class Functions
{
    private static readonly Dictionary<string, (int Arity, Func<object?[], object?> Call)> Table = new(StringComparer.Ordinal)
    {
        ["size"] = (1, it => Size(it[0])),
        ["string"] = (1, it => Values.Text(it[0])),
        ["double"] = (1, it => ToNumber(it[0])),
        ["int"] = (1, it => Math.Truncate(ToNumber(it[0]))),
        ["round"] = (
            2,
            it => Math.Round(Values.Number(it[0]), (int)Math.Clamp(Values.Number(it[1]), 0, 15), MidpointRounding.AwayFromZero)
        ),
        ["lower"] = (1, it => Values.Text(it[0]).ToLowerInvariant()),
        ["upper"] = (1, it => Values.Text(it[0]).ToUpperInvariant()),
        ["trim"] = (1, it => Values.Text(it[0]).Trim()),
        ["contains"] = (
            2,
            it =>
                it[0] is IReadOnlyList<object?>
                    ? In(it[1], it[0])
                    : Values.Text(it[0]).Contains(Values.Text(it[1]), StringComparison.Ordinal)
        ),
        ["startsWith"] = (2, it => Values.Text(it[0]).StartsWith(Values.Text(it[1]), StringComparison.Ordinal)),
        ["endsWith"] = (2, it => Values.Text(it[0]).EndsWith(Values.Text(it[1]), StringComparison.Ordinal)),
        ["matches"] = (2, it => Match(it[0], it[1]).Success),
        ["find"] = (
            2,
            it => Match(it[0], it[1]) is { Success: true } match ? (match.Groups.Count > 1 ? match.Groups[1] : match).Value : null
        ),
        ["split"] = (2, it => Values.Text(it[0]).Split(Values.Text(it[1])).Cast<object?>().ToArray()),
        ["join"] = (2, it => string.Join(Values.Text(it[1]), List(it[0]).Select(Values.Text))),
        ["sum"] = (1, it => List(it[0]).Sum(Values.Number)),
        ["sort"] = (1, it => List(it[0]).Order(Comparer<object?>.Create(Values.Compare)).ToArray()),
        ["last"] = (1, it => List(it[0]) is [.., var last] ? last : null),
    };

    public static IEnumerable<string> Names => Table.Keys;

    public static int? ArityOf(string name) => Table.TryGetValue(name, out var entry) ? entry.Arity : null;

    public static object? Call(string name, object?[] arguments) => Table[name].Call(arguments);

    public static IReadOnlyList<object?> List(object? value) =>
        value switch
        {
            IReadOnlyList<object?> items => items,
            null => [],
            _ => throw new ExpressionException($"{Values.Describe(value)} is not a list"),
        };

    public static bool In(object? item, object? container) =>
        container switch
        {
            IReadOnlyList<object?> items => items.Any(other => Values.Equals(item, other)),
            System.Text.Json.JsonElement json => json.Property(Values.Text(item)) is not null,
            null => false,
            _ => throw new ExpressionException($"'in' requires a list or an object, not {Values.Describe(container)}"),
        };

    private static double Size(object? value) =>
        value switch
        {
            null => 0,
            string text => text.Length,
            IReadOnlyList<object?> items => items.Count,
            System.Text.Json.JsonElement json => json.EnumerateObject().Count(),
            _ => throw new ExpressionException($"{Values.Describe(value)} has no size"),
        };

    private static double ToNumber(object? value) =>
        value switch
        {
            double number => number,
            bool flag => flag ? 1 : 0,
            string text when double.TryParse(text.Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => number,
            string text => throw new ExpressionException($"'{text}' is not a number"),
            _ => throw new ExpressionException($"{Values.Describe(value)} is not a number"),
        };

    private static Match Match(object? text, object? pattern)
    {
        try
        {
            return Regex.Match(Values.Text(text), Values.Text(pattern), RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception exception) when (exception is ArgumentException or NotSupportedException)
        {
            throw new ExpressionException($"'{pattern}' is not a valid regular expression: {exception.Message}");
        }
    }
}
