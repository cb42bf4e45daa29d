using System.Buffers;

namespace AgentExecutor.Core.Messaging;

/// <summary>Looks at media types such as <c>application/json; charset=utf-8</c> without taking them apart.</summary>
internal static class MediaType
{
    public const string Event = "application/cloudevents";
    public const string JsonEvent = "application/cloudevents+json";
    public const string JsonBatch = "application/cloudevents-batch+json";

    private static readonly SearchValues<char> Token =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    /// <summary>Without parameters.</summary>
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
        return slash > 0 && slash < name.Length - 1 && !name[..slash].ContainsAnyExcept(Token) && !name[(slash + 1)..].ContainsAnyExcept(Token);
    }

    /// <summary><c>*/json</c> or <c>*/*+json</c>: what the JSON format of CloudEvents takes for JSON.</summary>
    public static bool IsJson(string mediaType)
    {
        var name = NameOf(mediaType);
        return name.EndsWith("/json", StringComparison.OrdinalIgnoreCase) || name.EndsWith("+json", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>False where a charset is named that UTF-8 does not include.</summary>
    public static bool IsUtf8(string mediaType)
    {
        foreach (var part in mediaType.AsSpan().Split(';'))
        {
            var parameter = mediaType.AsSpan()[part].Trim();
            if (parameter.StartsWith("charset=", StringComparison.OrdinalIgnoreCase))
            {
                var charset = parameter["charset=".Length..].Trim().Trim('"');
                return charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase)
                    || charset.Equals("utf8", StringComparison.OrdinalIgnoreCase)
                    || charset.Equals("us-ascii", StringComparison.OrdinalIgnoreCase);
            }
        }
        return true;
    }
}
