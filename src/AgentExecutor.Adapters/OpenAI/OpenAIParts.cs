using System.Text.Json;
using AgentExecutor.Adapters.ModelServers;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.OpenAI;

/// <summary>Writes the parts of a user's message in the format of chat completions.</summary>
internal static class OpenAIParts
{
    public static void Write(Utf8JsonWriter writer, AIContent content, string provider)
    {
        writer.WriteStartObject();
        switch (content)
        {
            case TextContent text:
                WriteText(writer, text.Text);
                break;
            case DataContent data when data.HasTopLevelMediaType("image"):
                WriteImage(writer, data.Uri);
                break;
            case UriContent link when link.HasTopLevelMediaType("image"):
                WriteImage(writer, link.Uri.AbsoluteUri);
                break;
            case DataContent data when data.HasTopLevelMediaType("audio"):
                WriteAudio(writer, data);
                break;
            case DataContent data when PartFaults.TextOf(data) is { } text:
                WriteText(writer, text);
                break;
            case DataContent data:
                WriteFile(writer, "file_data"u8, data.Uri, data.Name ?? "file.pdf");
                break;
            case HostedFileContent file:
                WriteFile(writer, "file_id"u8, file.FileId, null);
                break;
            default:
                throw PartFaults.NotSupported(content, provider);
        }
        writer.WriteEndObject();
    }

    private static void WriteText(Utf8JsonWriter writer, string text)
    {
        writer.WriteString("type"u8, "text"u8);
        writer.WriteString("text"u8, text);
    }

    private static void WriteImage(Utf8JsonWriter writer, string url)
    {
        writer.WriteString("type"u8, "image_url"u8);
        writer.WriteStartObject("image_url"u8);
        writer.WriteString("url"u8, url);
        writer.WriteEndObject();
    }

    private static void WriteAudio(Utf8JsonWriter writer, DataContent data)
    {
        writer.WriteString("type"u8, "input_audio"u8);
        writer.WriteStartObject("input_audio"u8);
        writer.WriteString("data"u8, data.Base64Data.Span);
        writer.WriteString("format"u8, data.MediaType is "audio/mpeg" or "audio/mp3" ? "mp3"u8 : "wav"u8);
        writer.WriteEndObject();
    }

    private static void WriteFile(Utf8JsonWriter writer, ReadOnlySpan<byte> field, string value, string? name)
    {
        writer.WriteString("type"u8, "file"u8);
        writer.WriteStartObject("file"u8);
        if (name is not null)
        {
            writer.WriteString("filename"u8, name);
        }
        writer.WriteString(field, value);
        writer.WriteEndObject();
    }
}
