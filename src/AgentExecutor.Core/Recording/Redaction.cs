using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Recording;

/// <summary>
/// Removes secrets from texts: the given values, the passwords in those that are URLs or connection strings, and in every URL the user part
/// and the values of query parameters whose names indicate credentials. Text that has been cleaned is not changed again, so that requests
/// compare as equal whether or not a secret has been replaced.
/// </summary>
/// <param name="secrets">The values of keys and passwords; blank ones are ignored.</param>
public sealed partial class Redaction(IEnumerable<string> secrets)
{
    /// <summary>The text that replaces a secret.</summary>
    public const string Mark = "***";

    // A shorter value can be part of ordinary words, so it is replaced only where it is a whole word.
    private const int ShortSecret = 8;

    // The user part of a URL without a password is a name, unless it is as long as a token.
    private const int MinTokenLength = 16;

    private static readonly string[] SensitiveNames = ["auth", "cookie", "key", "token", "secret", "password", "credential", "signature"];

    private readonly Lock _gate = new();
    private volatile string[] _secrets = Sorted(secrets);

    /// <summary>Adds the values of headers that contain credentials to the secrets.</summary>
    public void AddHeaders(IEnumerable<KeyValuePair<string, string>> headers)
    {
        var values = headers
            .Where(header => IsSensitive(header.Key))
            .SelectMany(header =>
                header.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries) is { Length: > 1 } words
                    // In "Bearer KEY", the key alone may be quoted elsewhere.
                    ? words[1..].Append(header.Value)
                    : [header.Value]
            );
        lock (_gate)
        {
            _secrets = Sorted([.. _secrets, .. values]);
        }
    }

    public string Clean(string text)
    {
        foreach (var secret in _secrets)
        {
            text = secret.Length >= ShortSecret ? text.Replace(secret, Mark, StringComparison.Ordinal) : WithoutWord(text, secret);
        }
        return text.Contains("://", StringComparison.Ordinal)
            ? Query()
                .Replace(
                    UserInfo().Replace(text, $"://{Mark}@"),
                    static match => IsSensitive(match.Groups[1].ValueSpan) ? $"{match.Groups[1]}={Mark}" : match.Value
                )
            : text;
    }

    /// <summary>Cleans all strings in the JSON, including the names of members.</summary>
    public JsonElement Clean(JsonElement json) =>
        StoredJson.Parse(JsonBytes.Write((json, this), static (writer, it) => it.Item2.Write(writer, it.json)));

    private static bool IsSensitive(ReadOnlySpan<char> name)
    {
        foreach (var known in SensitiveNames)
        {
            if (name.Contains(known, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }
        return false;
    }

    private void Write(Utf8JsonWriter writer, JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.String:
                writer.WriteStringValue(Clean(json.GetString()!));
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var item in json.EnumerateArray())
                {
                    Write(writer, item);
                }
                writer.WriteEndArray();
                break;
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (var member in json.EnumerateObject())
                {
                    writer.WritePropertyName(Clean(member.Name));
                    Write(writer, member.Value);
                }
                writer.WriteEndObject();
                break;
            default:
                json.WriteTo(writer);
                break;
        }
    }

    private static string WithoutWord(string text, string secret)
    {
        var at = text.IndexOf(secret, StringComparison.Ordinal);
        if (at < 0)
        {
            return text;
        }
        var (clean, from) = (new StringBuilder(), 0);
        for (; at >= 0; at = text.IndexOf(secret, at, StringComparison.Ordinal))
        {
            var end = at + secret.Length;
            if ((at == 0 || !char.IsLetterOrDigit(text[at - 1])) && (end == text.Length || !char.IsLetterOrDigit(text[end])))
            {
                clean.Append(text, from, at - from).Append(Mark);
                from = end;
            }
            at = end;
        }
        return clean.Append(text, from, text.Length - from).ToString();
    }

    /// <summary>Sorts the longest first, so that a secret that contains another one is replaced completely.</summary>
    private static string[] Sorted(IEnumerable<string> secrets) =>
        [
            .. secrets
                .SelectMany(Parts)
                .Where(it => !string.IsNullOrWhiteSpace(it) && it != Mark)
                .Distinct()
                .OrderByDescending(it => it.Length)
                .ThenBy(it => it, StringComparer.Ordinal),
        ];

    private static IEnumerable<string> Parts(string secret)
    {
        var inside = UserAndPassword()
            .Matches(secret)
            .Select(match =>
                match.Groups[2].Success ? match.Groups[2].Value
                : match.Groups[1].Length >= MinTokenLength ? match.Groups[1].Value
                : ""
            )
            .Concat(ConnectionPassword().Matches(secret).Select(match => match.Groups[1].Value.Trim()));
        foreach (var part in inside.Append(secret))
        {
            yield return part;
            yield return Uri.UnescapeDataString(part);
            yield return Uri.EscapeDataString(part);
        }
    }

    [GeneratedRegex("""://[^\s/?#@"'<>]+@""")]
    private static partial Regex UserInfo();

    /// <summary>Matches a name and a value in a query.</summary>
    [GeneratedRegex("""(?<=[?&])([^\s=&#"'<>?]+)=([^\s&#"'<>]+)""")]
    private static partial Regex Query();

    [GeneratedRegex("""://([^\s/:@]*)(?::([^\s/@]*))?@""")]
    private static partial Regex UserAndPassword();

    [GeneratedRegex("""(?:^|;)\s*(?:password|pwd)\s*=\s*([^;]+)""", RegexOptions.IgnoreCase)]
    private static partial Regex ConnectionPassword();
}
