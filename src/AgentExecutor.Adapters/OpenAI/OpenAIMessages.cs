using System.Text.Json;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.OpenAI;

/// <summary>Writes a conversation in the format of chat completions.</summary>
/// <param name="writer">The writer.</param>
/// <param name="provider">The provider's name.</param>
/// <param name="callIds">Assigns the ids of tool calls.</param>
/// <param name="demands">The known demands of the server.</param>
internal sealed class OpenAIMessages(Utf8JsonWriter writer, string provider, CallIdMap callIds, ServerDemand demands)
{
    /// <summary>True if the server requires the reasoning that preceded a tool call, even if there was none.</summary>
    private readonly bool _withReasoning = demands.HasFlag(ServerDemand.ReasoningWithCalls);

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

    private void WriteSystem(string text)
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
            WriteContent(message.Text, "(empty)");
        }
        else if (demands.HasFlag(ServerDemand.TextContent) && message.Contents.All(content => content is TextContent))
        {
            WriteContent(string.Join("\n\n", message.Contents.Cast<TextContent>().Select(content => content.Text)), "(empty)");
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
        if (
            message.Text.Length > 0
            || calls.Count == 0
            || (demands & (ServerDemand.TextContent | ServerDemand.FilledContent)) != ServerDemand.None
        )
        {
            WriteContent(message.Text, calls.Count > 0 ? "(I call a tool.)" : "(no answer)");
        }
        else
        {
            writer.WriteNull("content"u8);
        }
        if (_withReasoning && calls.Count > 0)
        {
            writer.WriteString(
                "reasoning_content"u8,
                string.Concat(message.Contents.OfType<TextReasoningContent>().Select(thought => thought.Text))
            );
        }
        if (calls.Count > 0)
        {
            writer.WriteStartArray("tool_calls"u8);
            calls.ForEach(call => WriteCall(call, message.IsAnswerOf(provider)));
            writer.WriteEndArray();
        }
        writer.WriteEndObject();
    }

    /// <param name="text">The content.</param>
    /// <param name="filler">Replaces the text if it is empty and the server rejects empty texts.</param>
    private void WriteContent(string text, string filler) =>
        writer.WriteString("content"u8, demands.HasFlag(ServerDemand.FilledContent) && string.IsNullOrWhiteSpace(text) ? filler : text);

    private void WriteCall(FunctionCallContent call, bool isOwn)
    {
        writer.WriteStartObject();
        writer.WriteString("id"u8, callIds.Call(call.CallId, isOwn));
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
            writer.WriteString("tool_call_id"u8, callIds.Result(result.CallId));
            WriteContent(result.Result?.ToString() ?? "", "(no output)");
            writer.WriteEndObject();
        }
    }

    private void Begin(ReadOnlySpan<byte> role)
    {
        writer.WriteStartObject();
        writer.WriteString("role"u8, role);
    }
}
