using System.Runtime.InteropServices;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Messages;

/// <summary>
/// Estimates how many characters of text the parts of a message correspond to for a model, not counting their texts. The estimate is based
/// on the size of the JSON and never reads the data, so it is cheap. The estimate for PDF and audio files is deliberately low, because a
/// conversation that is estimated as too long is summarised, and its files are lost.
/// </summary>
internal static class PartLength
{
    /// <summary>About 1,600 tokens, which model servers count for an image of usual size.</summary>
    public const int Image = 6_400;

    /// <summary>About 25,000 tokens. The size of the data of a PDF or audio file says little about its content.</summary>
    public const int MaxBinary = 100_000;

    /// <summary>The upper bound of the estimate for one message.</summary>
    private const int Max = 100_000_000;

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
        return (int)Math.Min(length, Max);
    }

    private static int OfPart(JsonElement part)
    {
        if (
            part.ValueKind != JsonValueKind.Object
            || part.TextProperty("type") is not { } type
            || type is "text" or "input_text" or "output_text"
        )
        {
            return 0; // the text is already counted
        }
        var source = part.Property("source") ?? part.Property("file") ?? part;
        var mediaType = source.TextProperty("media_type") ?? source.TextProperty("mime_type") ?? "";
        if (type is "image" or "image_url" or "input_image" || mediaType.StartsWith("image/", StringComparison.Ordinal))
        {
            return Image;
        }
        var size = JsonMarshal.GetRawUtf8Value(part).Length;
        var isText = mediaType.StartsWith("text/", StringComparison.Ordinal) || source.TextProperty("type") == "text";
        return isText ? size : Math.Min(size, MaxBinary);
    }
}
