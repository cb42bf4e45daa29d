using System.Buffers;

namespace AgentExecutor.Core.Messaging;

/// <summary>Inspects media types such as <c>application/json; charset=utf-8</c> without parsing them into parts.</summary>
public static class MediaType
{
    public const string Event = "application/cloudevents";
    public const string JsonEvent = "application/cloudevents+json";
    public const string JsonBatch = "application/cloudevents-batch+json";

    private static readonly SearchValues<char> Token = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    );

    /// <summary>Returns the media type without its parameters.</summary>
    public static ReadOnlySpan<char> NameOf(string mediaType)
    {
        var end = mediaType.IndexOf(';', StringComparison.Ordinal);
        return (end < 0 ? mediaType : mediaType.AsSpan(0, end)).Trim();
    }

    public static bool Is(string mediaType, string name) => NameOf(mediaType).Equals(name, StringComparison.OrdinalIgnoreCase);

    public static bool IsWellFormed(string mediaType)
    {
        var name = NameOf(mediaType);
        var slash = name.IndexOf('/');
        return slash > 0
            && slash < name.Length - 1
            && !name[..slash].ContainsAnyExcept(Token)
            && !name[(slash + 1)..].ContainsAnyExcept(Token);
    }

    /// <summary>Returns true for <c>*/json</c> and <c>*/*+json</c>, which the JSON format of CloudEvents treats as JSON.</summary>
    public static bool IsJson(string mediaType)
    {
        var name = NameOf(mediaType);
        return name.EndsWith("/json", StringComparison.OrdinalIgnoreCase) || name.EndsWith("+json", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>
    /// Returns true for <c>application/json</c> and <c>application/*+json</c>, which browsers send to another origin only with its
    /// permission.
    /// </summary>
    public static bool IsApplicationJson(string mediaType) =>
        IsJson(mediaType) && IsWellFormed(mediaType) && NameOf(mediaType).StartsWith("application/", StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// Returns false if a charset is given that is not a subset of UTF-8. Other parameters are ignored, whether quoted or not.
    /// </summary>
    public static bool IsUtf8(string mediaType)
    {
        var rest = mediaType.AsSpan();
        while (!rest.IsEmpty)
        {
            var end = EndOfPart(rest);
            var part = rest[..end];
            rest = end < rest.Length ? rest[(end + 1)..] : [];
            if (part.IndexOf('=') is > 0 and var equals && part[..equals].Trim().Equals("charset", StringComparison.OrdinalIgnoreCase))
            {
                var charset = part[(equals + 1)..].Trim().Trim('"').Trim('\'');
                return charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase)
                    || charset.Equals("utf8", StringComparison.OrdinalIgnoreCase)
                    || charset.Equals("us-ascii", StringComparison.OrdinalIgnoreCase);
            }
        }
        return true;
    }

    /// <summary>Returns the position of the first semicolon outside quotes, or the length of the text.</summary>
    private static int EndOfPart(ReadOnlySpan<char> text)
    {
        var isQuoted = false;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && isQuoted)
            {
                i++;
            }
            else if (text[i] == '"')
            {
                isQuoted = !isQuoted;
            }
            else if (text[i] == ';' && !isQuoted)
            {
                return i;
            }
        }
        return text.Length;
    }
}
