using System.Collections.Immutable;
using System.Text.Json;

namespace AgentExecutor.Core.Messages;

/// <summary>One message of a conversation. Immutable; <see cref="Id"/> is stable from before it is first stored.</summary>
public sealed record Message
{
    public required MessageType Type { get; init; }

    public required string Id { get; init; }

    /// <summary>The text; of a message with several parts, its text parts joined.</summary>
    public string Text { get; init; } = "";

    /// <summary>The content as it came, where it was a list of parts (text, images, files).</summary>
    public JsonElement? Parts { get; init; }

    /// <summary>Of an AI message: the tools that it asks for, in order.</summary>
    public ImmutableArray<ToolCall> ToolCalls { get; init; } = [];

    /// <summary>Of a tool message: the call that it answers.</summary>
    public string? ToolCallId { get; init; }

    /// <summary>The tool of a tool message, or the agent of an AI message.</summary>
    public string? Name { get; init; }

    /// <summary>Of a tool message: the tool failed and the text says why.</summary>
    public bool IsError { get; init; }

    public TokenUsage? Usage { get; init; }

    /// <summary>Why the model stopped, in the provider-neutral words of Microsoft.Extensions.AI.</summary>
    public string? FinishReason { get; init; }

    /// <summary>The model that answered, where it is known: a fallback may have stood in for the agent's own.</summary>
    public AnsweringModel? Model { get; init; }

    /// <summary>What the model thought aloud; never part of the answer.</summary>
    public string? Reasoning { get; init; }

    /// <summary>Of an AI message: what the model that made it is given back of its thinking.</summary>
    public ImmutableArray<ThinkingBlock> ThinkingBlocks { get; init; } = [];

    public static Message Human(string id, string text) => new() { Type = MessageType.Human, Id = id, Text = text };

    public static Message Ai(string id, string text, params ImmutableArray<ToolCall> toolCalls) =>
        new() { Type = MessageType.Ai, Id = id, Text = text, ToolCalls = toolCalls };

    public static Message Tool(string id, ToolCall call, string text, bool isError = false) =>
        new() { Type = MessageType.Tool, Id = id, Text = text, ToolCallId = call.Id, Name = call.Name, IsError = isError };

    /// <summary>Characters that a model would be sent for this message: text, tool arguments, thinking blocks, and what images and files come to. A proxy for tokens, cheap and additive.</summary>
    public int Length
    {
        get
        {
            var length = Text.Length + (Parts is { } parts ? PartLength.Of(parts) : 0);
            foreach (var call in ToolCalls)
            {
                length += call.Name.Length + call.Arguments.GetRawText().Length;
            }
            foreach (var block in ThinkingBlocks)
            {
                length += block.Length;
            }
            return length;
        }
    }
}
