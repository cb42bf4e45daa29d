using System.Text.Json;
using AgentExecutor.Adapters.ModelServers;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.Anthropic;

/// <summary>Writes the turns of a conversation as content blocks.</summary>
internal sealed class AnthropicMessages(Utf8JsonWriter writer, string provider)
{
    /// <param name="turns">The conversation.</param>
    /// <param name="hasMarks">True to mark positions for the prompt cache.</param>
    public void Write(IReadOnlyList<AnthropicConversation.Turn> turns, bool hasMarks)
    {
        for (var i = 0; i < turns.Count; i++)
        {
            // The marks are at the end of this request and at the end of the previous one.
            Write(turns[i], isMarked: hasMarks && (i == turns.Count - 1 || i == turns.Count - 3));
        }
    }

    /// <summary>Writes a turn. Only turns of the user are marked, because thinking blocks cannot be.</summary>
    public void Write(AnthropicConversation.Turn turn, bool isMarked)
    {
        writer.WriteStartObject();
        writer.WriteString("role"u8, turn.IsAssistant ? "assistant"u8 : "user"u8);
        writer.WriteStartArray("content"u8);
        for (var i = 0; i < turn.Contents.Count; i++)
        {
            WriteBlock(turn.Contents[i], isMarked && i == turn.Contents.Count - 1);
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private void WriteBlock(AIContent content, bool isMarked)
    {
        writer.WriteStartObject();
        switch (content)
        {
            case ThinkingContent thinking:
                thinking.Block.Write(writer, thinking.Text);
                break;
            case TextContent text:
                WriteText(text.Text);
                break;
            case FunctionCallContent call:
                WriteCall(call);
                break;
            case FunctionResultContent result:
                WriteResult(result);
                break;
            default:
                WritePart(content);
                break;
        }
        if (isMarked)
        {
            AnthropicRequest.WriteCacheMark(writer);
        }
        writer.WriteEndObject();
    }

    private void WriteText(string text)
    {
        writer.WriteString("type"u8, "text"u8);
        writer.WriteString("text"u8, text);
    }

    private void WriteCall(FunctionCallContent call)
    {
        writer.WriteString("type"u8, "tool_use"u8);
        writer.WriteString("id"u8, call.CallId);
        writer.WriteString("name"u8, WireNames.Name(call.Name));
        writer.WritePropertyName("input"u8);
        CallArguments.Write(writer, call.Arguments);
    }

    private void WriteResult(FunctionResultContent result)
    {
        writer.WriteString("type"u8, "tool_result"u8);
        writer.WriteString("tool_use_id"u8, result.CallId);
        var text = result.Result?.ToString();
        writer.WriteString("content"u8, string.IsNullOrWhiteSpace(text) ? "(no output)" : text);
        if (result.Exception is not null)
        {
            writer.WriteBoolean("is_error"u8, true);
        }
    }

    private void WritePart(AIContent content)
    {
        switch (content)
        {
            case DataContent { MediaType: "image/jpeg" or "image/png" or "image/gif" or "image/webp" } image:
                writer.WriteString("type"u8, "image"u8);
                WriteData(image);
                break;
            case UriContent link when link.HasTopLevelMediaType("image"):
                writer.WriteString("type"u8, "image"u8);
                WriteLink(link);
                break;
            case DataContent { MediaType: "application/pdf" } document:
                writer.WriteString("type"u8, "document"u8);
                WriteData(document);
                break;
            case UriContent { MediaType: "application/pdf" } link:
                writer.WriteString("type"u8, "document"u8);
                WriteLink(link);
                break;
            case DataContent data when PartFaults.TextOf(data) is { } text:
                WriteText(text.Length > 0 ? text : "(an empty file)");
                break;
            default:
                throw PartFaults.NotSupported(content, provider);
        }
    }

    private void WriteData(DataContent data)
    {
        writer.WriteStartObject("source"u8);
        writer.WriteString("type"u8, "base64"u8);
        writer.WriteString("media_type"u8, data.MediaType);
        writer.WriteString("data"u8, data.Base64Data.Span);
        writer.WriteEndObject();
    }

    private void WriteLink(UriContent link)
    {
        writer.WriteStartObject("source"u8);
        writer.WriteString("type"u8, "url"u8);
        writer.WriteString("url"u8, link.Uri.AbsoluteUri);
        writer.WriteEndObject();
    }
}
