using System.Collections;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// A conversation in the form that model clients use. Messages are converted when they are read, so a client that reads only the end does
/// not pay for the rest.
/// </summary>
internal sealed class ChatView(ChatMessage system, IReadOnlyList<Message> messages) : IReadOnlyList<ChatMessage>
{
    public int Count => messages.Count + 1;

    public ChatMessage this[int index] => index == 0 ? system : Convert(messages[index - 1]);

    public IEnumerator<ChatMessage> GetEnumerator()
    {
        yield return system;
        foreach (var message in messages)
        {
            yield return Convert(message);
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private static ChatMessage Convert(Message message) =>
        message.Type switch
        {
            MessageType.Human when message.Parts is { } parts => new ChatMessage(ChatRole.User, MessageParts.Read(parts))
            {
                MessageId = message.Id,
            },
            MessageType.Human => new ChatMessage(ChatRole.User, message.Text) { MessageId = message.Id },
            MessageType.System => new ChatMessage(ChatRole.System, message.Text) { MessageId = message.Id },
            MessageType.Tool => new ChatMessage(ChatRole.Tool, [Result(message)]) { MessageId = message.Id },
            _ => new ChatMessage(ChatRole.Assistant, [.. Contents(message)]) { MessageId = message.Id }.AnsweredBy(message.Model?.Provider),
        };

    /// <summary>An exception in the content marks the tool call as failed; the text gives the reason.</summary>
    private static FunctionResultContent Result(Message message) =>
        new(message.ToolCallId ?? "", message.Text) { Exception = message.IsError ? new InvalidOperationException(message.Text) : null };

    /// <summary>Includes the model's reasoning for all providers. Most ignore it, and those that use it recognise their own.</summary>
    private static IEnumerable<AIContent> Contents(Message message)
    {
        var written = 0;
        if (message.ThinkingBlocks.IsEmpty && message.Reasoning is { Length: > 0 } thought)
        {
            yield return new TextReasoningContent(thought);
        }
        foreach (var block in message.ThinkingBlocks)
        {
            var before = Math.Clamp(block.TextBefore, written, message.Text.Length);
            if (before > written)
            {
                yield return new TextContent(message.Text[written..before]);
                written = before;
            }
            yield return new TextReasoningContent(block.Text) { ProtectedData = block.Data };
        }
        if (written < message.Text.Length)
        {
            yield return new TextContent(message.Text[written..]);
        }
        foreach (var call in message.ToolCalls)
        {
            yield return new FunctionCallContent(call.Id, call.Name, Arguments(call.Arguments));
        }
    }

    private static Dictionary<string, object?> Arguments(JsonElement arguments) =>
        arguments.ValueKind == JsonValueKind.Object
            ? arguments.EnumerateObject().ToDictionary(argument => argument.Name, object? (argument) => argument.Value)
            : new Dictionary<string, object?> { ["malformed"] = JsonBytes.Display(arguments) };
}
