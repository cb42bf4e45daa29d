using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Recording;

/// <summary>Lists the differences between a recorded request and an actual one by JSON path, in a few short lines.</summary>
public static class RequestDiff
{
    private const int MaxLines = 8;
    private const int ShownBefore = 20;
    private const int Shown = 80;

    /// <summary>
    /// Returns one line per difference, such as <c>$.temperature: recorded 0.2, now 0.7</c>. The last line gives the number of further
    /// differences.
    /// </summary>
    public static IReadOnlyList<string> Lines(JsonElement recorded, JsonElement asked)
    {
        var all = Differences("$", recorded, asked).ToList();
        return all.Count <= MaxLines ? [.. all.Select(Text)] : [.. all.Take(MaxLines).Select(Text), $"and {all.Count - MaxLines} more"];
    }

    /// <summary>Returns the number of values that differ or occur on one side only.</summary>
    public static int Distance(JsonElement recorded, JsonElement asked) =>
        Differences("", recorded, asked).Sum(it => Math.Max(Values(it.Recorded), Values(it.Asked)));

    private static IEnumerable<Difference> Differences(string path, JsonElement recorded, JsonElement asked)
    {
        if (recorded.ValueKind == asked.ValueKind && recorded.ValueKind is JsonValueKind.Object or JsonValueKind.Array)
        {
            return recorded.ValueKind == JsonValueKind.Object ? OfMembers(path, recorded, asked) : OfItems(path, recorded, asked);
        }
        return AreSame(recorded, asked) ? [] : [new Difference(path, recorded, asked)];
    }

    /// <summary>Compares values as their hashes do: 1 and 1.0 are different numbers.</summary>
    private static bool AreSame(JsonElement recorded, JsonElement asked) =>
        recorded.ValueKind == asked.ValueKind
        && recorded.ValueKind switch
        {
            JsonValueKind.String => recorded.GetString() == asked.GetString(),
            JsonValueKind.Number => recorded.GetRawText() == asked.GetRawText(),
            _ => true,
        };

    private static IEnumerable<Difference> OfMembers(string path, JsonElement recorded, JsonElement asked)
    {
        foreach (var member in recorded.EnumerateObject())
        {
            var other = asked.TryGetProperty(member.Name, out var value) ? value : default;
            foreach (var difference in Differences($"{path}.{member.Name}", member.Value, other))
            {
                yield return difference;
            }
        }
        foreach (var member in asked.EnumerateObject().Where(it => !recorded.TryGetProperty(it.Name, out _)))
        {
            yield return new Difference($"{path}.{member.Name}", default, member.Value);
        }
    }

    private static IEnumerable<Difference> OfItems(string path, JsonElement recorded, JsonElement asked)
    {
        var (recordedCount, askedCount) = (recorded.GetArrayLength(), asked.GetArrayLength());
        for (var i = 0; i < Math.Max(recordedCount, askedCount); i++)
        {
            foreach (
                var difference in Differences(
                    $"{path}[{i}]",
                    i < recordedCount ? recorded[i] : default,
                    i < askedCount ? asked[i] : default
                )
            )
            {
                yield return difference;
            }
        }
    }

    private static int Values(JsonElement json) =>
        json.ValueKind switch
        {
            JsonValueKind.Undefined => 0,
            JsonValueKind.Object => 1 + json.EnumerateObject().Sum(member => Values(member.Value)),
            JsonValueKind.Array => 1 + json.EnumerateArray().Sum(Values),
            _ => 1,
        };

    private static string Text(Difference it)
    {
        if (it.Recorded.ValueKind == JsonValueKind.Undefined)
        {
            return $"{it.Path}: only now, {Value(it.Asked)}";
        }
        if (it.Asked.ValueKind == JsonValueKind.Undefined)
        {
            return $"{it.Path}: only recorded, {Value(it.Recorded)}";
        }
        return it.Recorded.ValueKind == JsonValueKind.String && it.Asked.ValueKind == JsonValueKind.String
            ? Texts(it.Path, it.Recorded.GetString()!, it.Asked.GetString()!)
            : $"{it.Path}: recorded {Value(it.Recorded)}, now {Value(it.Asked)}";
    }

    /// <summary>Shows two strings from shortly before their first difference.</summary>
    private static string Texts(string path, string recorded, string asked)
    {
        var same = recorded.AsSpan().CommonPrefixLength(asked);
        var from = recorded.Length <= Shown && asked.Length <= Shown ? 0 : Math.Max(0, same - ShownBefore);
        return $"{path}{(same > 0 ? $", from character {same}" : "")}: recorded {Part(recorded, from)}, now {Part(asked, from)}";
    }

    private static string Part(string text, int from)
    {
        var part = text.AsSpan(from, Math.Min(Shown, text.Length - from));
        return JsonBytes.Compact(JsonBytes.Text($"{(from > 0 ? "…" : "")}{part}{(from + part.Length < text.Length ? "…" : "")}"));
    }

    private static string Value(JsonElement json)
    {
        var text = JsonBytes.Compact(json);
        return text.Length <= Shown ? text : text[..Shown] + "…";
    }

    private readonly record struct Difference(string Path, JsonElement Recorded, JsonElement Asked);
}
