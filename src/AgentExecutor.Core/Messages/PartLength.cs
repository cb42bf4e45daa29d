using System.Runtime.InteropServices;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Messages;

/// <summary>
/// How many characters of text a message's parts are worth to a model, beside its texts: by the size of their JSON, and never their data, so that it is cheap.
/// What a PDF or a sound comes to is a guess, and a low one: a conversation is summarised for being too long, and its files are lost then.
/// </summary>
internal static class PartLength
{
    /// <summary>About 1,600 tokens, what model servers make of an image of usual size.</summary>
    public const int Image = 6_400;

    /// <summary>About 25,000 tokens: the data of a PDF or a sound says little of what is in it.</summary>
    public const int MostOfBinary = 100_000;

    /// <summary>No message is longer than that.</summary>
    private const int Most = 100_000_000;

    public static int Of(JsonElement parts)
    {
        var length = 0L;
        if (parts.ValueKind == JsonValueKind.Array)
        {
            foreach (var part in parts.EnumerateArray())
            {
                length += OfPart(part);
            }
        }
        return (int)Math.Min(length, Most);
    }

    private static int OfPart(JsonElement part)
    {
        if (part.ValueKind != JsonValueKind.Object || part.TextProperty("type") is not { } type || type is "text" or "input_text" or "output_text")
        {
            return 0; // it is part of the message's text
        }
        var source = part.Property("source") ?? part.Property("file") ?? part;
        var mediaType = source.TextProperty("media_type") ?? source.TextProperty("mime_type") ?? "";
        if (type is "image" or "image_url" or "input_image" || mediaType.StartsWith("image/", StringComparison.Ordinal))
        {
            return Image;
        }
        var size = JsonMarshal.GetRawUtf8Value(part).Length;
        var isText = mediaType.StartsWith("text/", StringComparison.Ordinal) || source.TextProperty("type") == "text";
        return isText ? size : Math.Min(size, MostOfBinary);
    }
}
