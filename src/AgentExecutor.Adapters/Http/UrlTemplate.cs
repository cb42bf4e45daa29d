using System.Text.Json;

namespace AgentExecutor.Adapters.Http;

/// <summary>
/// The URL of a tool, in which <c>{name}</c> is replaced by the percent-encoded argument (RFC 6570, level 1). Arguments cannot change the
/// host, and cannot leave their segment of the path.
/// </summary>
internal sealed class UrlTemplate
{
    private readonly string _origin;
    private readonly ArgumentTemplate[] _segments;
    private readonly ArgumentTemplate? _query;

    private UrlTemplate(string origin, ArgumentTemplate[] segments, ArgumentTemplate? query) =>
        (_origin, _segments, _query) = (origin, segments, query);

    public IEnumerable<string> Names => _segments.Append(_query).SelectMany(part => part?.Names ?? []).Distinct();

    /// <summary>The arguments without which there is no URL.</summary>
    public IEnumerable<string> RequiredNames => _segments.SelectMany(segment => segment.Names).Distinct();

    /// <summary>
    /// Returns null if the text is not an absolute http or https URL, or if an argument is outside of its path and query.
    /// </summary>
    public static UrlTemplate? TryParse(string? text)
    {
        var plain = text?.Split('#', 2)[0];
        if (!Uri.TryCreate(plain, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
        {
            return null;
        }
        var scheme = plain!.IndexOf("://", StringComparison.Ordinal);
        if (scheme < 0)
        {
            return null;
        }
        var start = plain.IndexOfAny(['/', '?', '\\'], scheme + 3);
        var origin = start < 0 ? plain : plain[..start];
        if (ArgumentTemplate.Parse(origin).Names.Any())
        {
            return null;
        }
        var parts = (start < 0 ? "" : plain[start..]).Split('?', 2);
        return new UrlTemplate(
            origin,
            [.. parts[0].Split('/').Select(ArgumentTemplate.Parse)],
            parts.Length > 1 ? ArgumentTemplate.Parse(parts[1]) : null
        );
    }

    /// <param name="arguments">The arguments of the call.</param>
    /// <param name="parameters">Further parameters for the query, which are percent-encoded here.</param>
    /// <exception cref="UnsendableArgumentException">An argument is missing, or is not a segment of a path.</exception>
    public Uri Fill(JsonElement arguments, IEnumerable<KeyValuePair<string, string>> parameters)
    {
        var path = string.Join('/', _segments.Select(segment => Segment(segment, arguments)));
        var query = string.Join(
            '&',
            parameters
                .Select(it => $"{Uri.EscapeDataString(it.Key)}={Uri.EscapeDataString(it.Value)}")
                .Prepend(_query?.Fill(arguments, Uri.EscapeDataString) ?? "")
                .Where(it => it.Length > 0)
        );
        return new Uri($"{_origin}{path}{(query.Length > 0 ? "?" : "")}{query}");
    }

    private static string Segment(ArgumentTemplate segment, JsonElement arguments)
    {
        foreach (var name in segment.Names)
        {
            if (ArgumentTemplate.Find(arguments, name) is not { } value || ArgumentTemplate.TextOf(value).Length == 0)
            {
                // Without it, the URL would be that of another resource, for example of the list instead of one item.
                throw new UnsendableArgumentException($"the argument '{name}' is part of the URL and must not be empty");
            }
        }
        var text = segment.Fill(arguments, Uri.EscapeDataString);
        if (segment.Names.Any() && text is "." or "..")
        {
            throw new UnsendableArgumentException($"the argument '{segment.Names.First()}' must not be '{text}'");
        }
        return text;
    }
}
