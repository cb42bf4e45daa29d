using System.Collections.Immutable;
using System.Text.Json;

namespace AgentExecutor.Core.Messages;

/// <summary>
/// One message of a conversation. Immutable; <see cref="Id"/> is assigned before the message is first stored and never changes.
/// </summary>
public sealed record Message
{
    public required MessageType Type { get; init; }

    public required string Id { get; init; }

    /// <summary>The text. For a message with several parts, the concatenation of its text parts.</summary>
    public string Text { get; init; } = "";

    /// <summary>The original content, if it was a list of parts (text, images, files).</summary>
    public JsonElement? Parts { get; init; }

    /// <summary>For an AI message: the tool calls that it requests, in order.</summary>
    public ImmutableArray<ToolCall> ToolCalls { get; init; } = [];

    /// <summary>For a tool message: the id of the call that it answers.</summary>
    public string? ToolCallId { get; init; }

    /// <summary>The tool of a tool message, or the agent of an AI message.</summary>
    public string? Name { get; init; }

    /// <summary>For a tool message: true if the tool failed; the text gives the reason.</summary>
    public bool IsError { get; init; }

    public TokenUsage? Usage { get; init; }

    /// <summary>Why the model stopped, in the provider-neutral terms of Microsoft.Extensions.AI.</summary>
    public string? FinishReason { get; init; }

    /// <summary>The model that produced the message, if known. It can be a fallback rather than the agent's own model.</summary>
    public AnsweringModel? Model { get; init; }

    /// <summary>The model's reasoning in readable form. It is never part of the answer.</summary>
    public string? Reasoning { get; init; }

    /// <summary>For an AI message: the thinking blocks that are sent back to the model that produced them.</summary>
    public ImmutableArray<ThinkingBlock> ThinkingBlocks { get; init; } = [];

    public static Message Human(string id, string text) =>
        new()
        {
            Type = MessageType.Human,
            Id = id,
            Text = text,
        };

    public static Message Ai(string id, string text, params ImmutableArray<ToolCall> toolCalls) =>
        new()
        {
            Type = MessageType.Ai,
            Id = id,
            Text = text,
            ToolCalls = toolCalls,
        };

    public static Message Tool(string id, ToolCall call, string text, bool isError = false) =>
        new()
        {
            Type = MessageType.Tool,
            Id = id,
            Text = text,
            ToolCallId = call.Id,
            Name = call.Name,
            IsError = isError,
        };

    /// <summary>
    /// The number of characters that represent this message to a model: its text, tool arguments and thinking blocks, and an estimate for
    /// images and files. It approximates the number of tokens, is cheap to compute, and can be added up.
    /// </summary>
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
