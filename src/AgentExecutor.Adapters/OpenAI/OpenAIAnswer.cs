using System.Text;
using System.Text.Json;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core.Json;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.OpenAI;

/// <summary>
/// Reads a chat completion, as a whole (<c>message</c>) or in chunks (<c>delta</c>). Servers may send either form regardless of which one
/// was requested, and some send both.
/// </summary>
internal sealed class OpenAIAnswer(ModelFaults faults, IReadOnlySet<string> usedCallIds) : WireAnswer(faults, usedCallIds)
{
    private const int LegacyCall = -1;

    private static readonly string[] ReasoningFields = ["reasoning_content", "reasoning", "thinking", "thinking_content"];

    private readonly StringBuilder _refusal = new();
    private readonly TokenCounts _tokens = new();
    private int? _choice;
    private bool _hasWhole;

    public override UsageDetails? Usage => _tokens.ToUsage();

    /// <summary>A whole message is a complete answer, even without a finish reason.</summary>
    protected override bool IsWhole => _hasWhole;

    public override IList<AIContent> Take(JsonElement json)
    {
        if (ServerError.OfEvent(json) is { } error)
        {
            throw Faults.Of(error);
        }
        ModelId ??= json.TextProperty("model") is { Length: > 0 } model ? model : null;
        OpenAIUsage.Take(json, _tokens);
        var contents = new List<AIContent>();
        if (ChoiceOf(json) is not { } choice)
        {
            // The event contains only the usage, or it is a keep-alive.
            return contents;
        }
        if (choice.Property("error") is not null && ServerError.OfEvent(choice) is { } failure)
        {
            throw Faults.Of(failure);
        }
        OpenAIUsage.Take(choice, _tokens);
        if (choice.Property("delta") is { ValueKind: JsonValueKind.Object } delta)
        {
            OpenAIUsage.Take(delta, _tokens);
            TakePiece(delta, contents);
        }
        if (choice.Property("message") is { ValueKind: JsonValueKind.Object } message)
        {
            OpenAIUsage.Take(message, _tokens);
            TakeMessage(message, IsWholeMessage(json, choice), contents);
        }
        else if (choice.TextProperty("text") is not null)
        {
            AddText(TextOf(choice.Property("text")!.Value, contents), contents);
        }
        TakeFinish(choice);
        return contents;
    }

    protected override void ThrowIfRefused()
    {
        if (_refusal.Length > 0)
        {
            throw Faults.Refused(WellFormedText.Of(_refusal.ToString()));
        }
    }

    private static bool IsWholeMessage(JsonElement json, JsonElement choice) =>
        json.TextProperty("object") == "chat.completion"
        || choice.TextProperty("finish_reason") is { Length: > 0 }
        || choice.Property("delta") is not null;

    /// <summary>
    /// Returns the choice to read, which is the first one with content. A server that was asked for one choice may use any index.
    /// </summary>
    private JsonElement? ChoiceOf(JsonElement json)
    {
        var choices = json.Property("choices") switch
        {
            { ValueKind: JsonValueKind.Array } list => list.EnumerateArray()
                .Where(choice => choice.ValueKind == JsonValueKind.Object)
                .ToList(),
            { ValueKind: JsonValueKind.Object } single => [single],
            null
                when json.Property("message") is { ValueKind: JsonValueKind.Object }
                    || json.Property("delta") is { ValueKind: JsonValueKind.Object } => [json],
            _ => [],
        };
        foreach (var choice in choices)
        {
            var index = Integer(choice, "index") ?? 0;
            if (index == (_choice ??= index))
            {
                return choice;
            }
        }
        return null;
    }

    private void TakePiece(JsonElement delta, List<AIContent> contents)
    {
        AddReasoning(ReasoningOf(delta), contents);
        if (delta.Property("content") is { } content)
        {
            AddText(TextOf(content, contents), contents);
        }
        _refusal.Append(delta.TextProperty("refusal"));
        TakeCalls(delta);
    }

    /// <summary>
    /// Reads a message. If pieces came before, the message repeats them, and only the rest is new. Some servers also send pieces as
    /// messages.
    /// </summary>
    private void TakeMessage(JsonElement message, bool isWhole, List<AIContent> contents)
    {
        _hasWhole |= isWhole;
        AddReasoning(Rest(Reasoning, ReasoningOf(message), isWhole), contents);
        if (message.Property("content") is { } content)
        {
            AddText(Rest(Text, TextOf(content, contents), isWhole), contents);
        }
        if (_refusal.Length == 0)
        {
            _refusal.Append(message.TextProperty("refusal"));
        }
        if (!isWhole || Calls.IsEmpty)
        {
            TakeCalls(message);
        }
    }

    private static string? Rest(StringBuilder before, string? text, bool isWhole)
    {
        if (before.Length == 0 || text is null)
        {
            return text;
        }
        var isLonger = text.Length > before.Length - (isWhole ? 1 : 0);
        return isLonger && text.StartsWith(before.ToString(), StringComparison.Ordinal) ? text[before.Length..]
            : isWhole ? null
            : text;
    }

    private void TakeCalls(JsonElement message)
    {
        var calls = message.Property("tool_calls") switch
        {
            { ValueKind: JsonValueKind.Array } list => list.EnumerateArray().Where(call => call.ValueKind == JsonValueKind.Object).ToList(),
            { ValueKind: JsonValueKind.Object } single => [single],
            _ => [],
        };
        var named = new HashSet<CallPieces>();
        foreach (var call in calls)
        {
            var function = call.Property("function") ?? call;
            var pieces = Calls.Of(Integer(call, "index"), call.TextProperty("id"), function.TextProperty("name"), named.Contains);
            pieces.Append(function.Property("arguments"));
            if (function.TextProperty("name") is { Length: > 0 })
            {
                named.Add(pieces);
            }
        }
        if (
            calls.Count == 0
            && message.Property("function_call") is { ValueKind: JsonValueKind.Object } legacy
            && Calls.MayBeLegacy(LegacyCall)
        )
        {
            Calls.Of(LegacyCall, null, legacy.TextProperty("name")).Append(legacy.Property("arguments"));
        }
    }

    private static string? ReasoningOf(JsonElement message) =>
        ReasoningFields
            .Select(name =>
                message.Property(name) is { ValueKind: JsonValueKind.String } text ? WellFormedText.WithUnpairedSurrogates(text) : null
            )
            .FirstOrDefault(text => text is { Length: > 0 });

    /// <summary>
    /// Returns the text of a content. A list of parts does not conform to the API, but some servers send one. Parts with reasoning are not
    /// text.
    /// </summary>
    private string TextOf(JsonElement content, List<AIContent> contents)
    {
        switch (content.ValueKind)
        {
            case JsonValueKind.String:
                return WellFormedText.WithUnpairedSurrogates(content);
            case JsonValueKind.Array:
                return string.Concat(content.EnumerateArray().Select(part => TextOf(part, contents)));
            case JsonValueKind.Object when content.TextProperty("type") is "thinking" or "reasoning":
                var reasoning = content.Property("thinking") ?? content.Property("reasoning") ?? content.Property("text");
                AddReasoning(reasoning is { } part ? TextOf(part, contents) : null, contents);
                return "";
            case JsonValueKind.Object:
                return content.Property("text") is { ValueKind: JsonValueKind.String } text
                    ? WellFormedText.WithUnpairedSurrogates(text)
                    : "";
            default:
                return "";
        }
    }

    private void TakeFinish(JsonElement choice)
    {
        var finish = choice.TextProperty("finish_reason") ?? choice.TextProperty("done_reason");
        if (finish?.Trim().ToLowerInvariant() is not { Length: > 0 } reason || reason is "null" or "none")
        {
            return;
        }
        FinishReason = reason switch
        {
            "length" or "max_tokens" or "model_length" or "max_output_tokens" => ChatFinishReason.Length,
            "tool_calls" or "function_call" or "tool_use" => ChatFinishReason.ToolCalls,
            "content_filter" or "safety" or "sensitive" or "refusal" or "prohibited_content" or "recitation" => throw Faults.Refused(
                WellFormedText.Of(_refusal.Length > 0 ? _refusal.ToString() : $"its content filter stopped the answer. {Text}")
            ),
            "error"
            or "abort"
            or "aborted"
            or "cancelled"
            or "canceled"
            or "insufficient_system_resource"
            or "network_error"
            or "timeout"
            or "malformed_function_call" => throw Faults.Unavailable($"the answer is incomplete: its finish_reason is '{reason}'"),
            _ => ChatFinishReason.Stop,
        };
    }

    private static int? Integer(JsonElement json, string name) =>
        json.Property(name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var given) ? given : null;
}
