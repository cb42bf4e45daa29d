using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Json;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Messages;

/// <summary>
/// Reads the parts of a message in the formats of OpenAI, Anthropic and LangChain: texts, images, files and audio, as data or as links.
/// Each provider decides which of them its models accept.
/// </summary>
public static class MessageParts
{
    private const string Hint =
        """write {"type": "text", "text": "..."} or {"type": "image_url", "image_url": {"url": "data:image/png;base64,..."}}""";

    /// <exception cref="FaultException">A part has an unknown format (<see cref="FaultCodes.ModelInvalidRequest"/>); the message names the
    /// part.</exception>
    public static IList<AIContent> Read(JsonElement parts)
    {
        var contents = new List<AIContent>(parts.GetArrayLength());
        foreach (var part in parts.EnumerateArray())
        {
            try
            {
                contents.Add(Read(part, contents.Count));
            }
            catch (Exception exception) when (exception is ArgumentException or FormatException)
            {
                throw Invalid(contents.Count, $"cannot be read: {exception.Message}");
            }
        }
        return contents;
    }

    private static AIContent Read(JsonElement part, int index)
    {
        if (part.ValueKind == JsonValueKind.String)
        {
            return new TextContent(WellFormedText.Of(part));
        }
        var type = part.TextProperty("type") ?? "";
        return type switch
        {
            "text" or "input_text" or "output_text" => new TextContent(part.TextProperty("text") ?? ""),
            "image_url" or "input_image" when part.Property("image_url") is { } image => OfUrl(
                image.TextProperty("url") ?? part.TextProperty("image_url") ?? "",
                "image/*",
                null
            ),
            "input_audio" when part.Property("input_audio") is { } audio => OfBase64(
                audio.TextProperty("data"),
                $"audio/{audio.TextProperty("format") ?? "wav"}",
                null
            ),
            "image" or "document" or "file" or "audio" or "media" or "input_file" or "input_image" => OfSource(part, index, type),
            _ => throw Invalid(index, $"has the unknown type '{type}'"),
        };
    }

    /// <summary>Reads a part whose data is in the part itself, or in an object within it.</summary>
    private static AIContent OfSource(JsonElement part, int index, string type)
    {
        var source = part.Property("source") ?? part.Property("file") ?? part;
        var mediaType = source.TextProperty("media_type") ?? source.TextProperty("mime_type") ?? DefaultTypeOf(type);
        var name = source.TextProperty("filename") ?? source.TextProperty("name") ?? part.TextProperty("title");
        if (source.TextProperty("file_id") is { } id)
        {
            return new HostedFileContent(id);
        }
        if (source.TextProperty("url") is { } url || (url = source.TextProperty("file_url")) is not null)
        {
            return OfUrl(url, mediaType, name);
        }
        var data = source.TextProperty("data") ?? source.TextProperty("base64") ?? source.TextProperty("file_data");
        return data switch
        {
            null => throw Invalid(index, $"of the type '{type}' contains neither data nor a URL"),
            _ when source.TextProperty("type") == "text" => new DataContent(Encoding.UTF8.GetBytes(data), mediaType) { Name = name },
            _ when data.StartsWith("data:", StringComparison.OrdinalIgnoreCase) => OfUrl(data, mediaType, name),
            _ => OfBase64(data, mediaType, name),
        };
    }

    private static AIContent OfUrl(string url, string mediaType, string? name)
    {
        if (url.StartsWith("data:", StringComparison.OrdinalIgnoreCase))
        {
            var comma = url.IndexOf(',', StringComparison.Ordinal);
            return comma > 0 && url[..comma].EndsWith(";base64", StringComparison.OrdinalIgnoreCase)
                ? OfBase64(url[(comma + 1)..], url[5..comma].Split(';')[0] is { Length: > 0 } own ? own : mediaType, name)
                : new DataContent(url) { Name = name };
        }
        return Uri.TryCreate(url, UriKind.Absolute, out var link) && link.Scheme is "http" or "https"
            ? new UriContent(link, mediaType)
            : throw new FormatException("its URL is not an http, https or data URL");
    }

    private static DataContent OfBase64(string? data, string mediaType, string? name) =>
        data is { Length: > 0 } && Base64.IsValid(data)
            ? new DataContent($"data:{mediaType};base64,{data}") { Name = name }
            : throw new FormatException("its data is not valid base64");

    private static string DefaultTypeOf(string type) =>
        type switch
        {
            "image" or "input_image" => "image/*",
            "audio" => "audio/wav",
            _ => "application/pdf",
        };

    private static FaultException Invalid(int index, string what) =>
        new(FaultCodes.ModelInvalidRequest, $"content part {index} of a message {what}", Hint);
}
