using System.Text.Json;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core.Json;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.OpenAI;

/// <summary>Writes a conversation as chat completions take it.</summary>
/// <param name="callIds">Takes the ids of the tool calls.</param>
/// <param name="withThoughts">The server wants what the model thought before it called a tool, also where that was nothing.</param>
internal sealed class OpenAIMessages(Utf8JsonWriter writer, string provider, HashSet<string> callIds, bool withThoughts)
{
    public void Write(IEnumerable<ChatMessage> messages)
    {
        foreach (var message in messages)
        {
            if (message.Role == ChatRole.Tool)
            {
                WriteResults(message);
            }
            else if (message.Role == ChatRole.Assistant)
            {
                WriteAssistant(message);
            }
            else if (message.Role == ChatRole.System)
            {
                WriteSystem(message.Text);
            }
            else
            {
                WriteUser(message);
            }
        }
    }

    public void WriteSystem(string text)
    {
        if (text.Length > 0)
        {
            Begin("system"u8);
            writer.WriteString("content"u8, text);
            writer.WriteEndObject();
        }
    }

    private void WriteUser(ChatMessage message)
    {
        Begin("user"u8);
        if (message.Contents is [] or [TextContent])
        {
            writer.WriteString("content"u8, message.Text);
        }
        else
        {
            writer.WriteStartArray("content"u8);
            foreach (var content in message.Contents)
            {
                OpenAIParts.Write(writer, content, provider);
            }
            writer.WriteEndArray();
        }
        writer.WriteEndObject();
    }

    private void WriteAssistant(ChatMessage message)
    {
        Begin("assistant"u8);
        var calls = message.Contents.OfType<FunctionCallContent>().ToList();
        if (message.Text.Length > 0 || calls.Count == 0)
        {
            writer.WriteString("content"u8, message.Text);
        }
        else
        {
            writer.WriteNull("content"u8);
        }
        if (withThoughts && calls.Count > 0)
        {
            writer.WriteString("reasoning_content"u8, string.Concat(message.Contents.OfType<TextReasoningContent>().Select(thought => thought.Text)));
        }
        if (calls.Count > 0)
        {
            writer.WriteStartArray("tool_calls"u8);
            calls.ForEach(WriteCall);
            writer.WriteEndArray();
        }
        writer.WriteEndObject();
    }

    private void WriteCall(FunctionCallContent call)
    {
        callIds.Add(call.CallId);
        writer.WriteStartObject();
        writer.WriteString("id"u8, WireNames.Id(call.CallId));
        writer.WriteString("type"u8, "function"u8);
        writer.WriteStartObject("function"u8);
        writer.WriteString("name"u8, WireNames.Name(call.Name));
        writer.WriteString("arguments"u8, JsonBytes.WriteText(call.Arguments, CallArguments.Write));
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private void WriteResults(ChatMessage message)
    {
        foreach (var result in message.Contents.OfType<FunctionResultContent>())
        {
            Begin("tool"u8);
            writer.WriteString("tool_call_id"u8, WireNames.Id(result.CallId));
            writer.WriteString("content"u8, result.Result?.ToString() ?? "");
            writer.WriteEndObject();
        }
    }

    private void Begin(ReadOnlySpan<byte> role)
    {
        writer.WriteStartObject();
        writer.WriteString("role"u8, role);
    }
}
