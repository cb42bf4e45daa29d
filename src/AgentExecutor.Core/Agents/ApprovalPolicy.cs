using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Agents;

/// <summary>The decisions that a person can make about a tool call before it is made: approve, edit, reject or respond.</summary>
public sealed record ApprovalPolicy(ImmutableArray<string> Allowed)
{
    public const string Approve = "approve";
    public const string Edit = "edit";
    public const string Reject = "reject";

    /// <summary>The person answers in place of the tool, which is not called.</summary>
    public const string Respond = "respond";

    public static readonly ApprovalPolicy All = new([Approve, Edit, Reject, Respond]);

    /// <summary>From whom and until when the decision is expected.</summary>
    public InterruptTerms Terms { get; init; } = InterruptTerms.None;

    /// <summary>
    /// Returns the key of the question about a call. It contains a hash of the tool and its arguments, so that a decision never applies to
    /// other arguments than those that were shown.
    /// </summary>
    public static string KeyOf(ToolCall call)
    {
        var shown = SHA256.HashData(Encoding.UTF8.GetBytes($"{call.Name}\n{JsonBytes.Compact(call.Arguments)}"));
        return $"approve-{Convert.ToHexStringLower(shown.AsSpan(0, 8))}";
    }

    public JsonElement Question(ToolCall call, string? note) =>
        JsonBytes.Element(
            (this, call, note),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("text"u8, $"May {it.call.Name} be called with these arguments?");
                writer.WriteString("tool"u8, it.call.Name);
                writer.WritePropertyName("args"u8);
                it.call.Arguments.WriteTo(writer);
                writer.WriteStartArray("allowed"u8);
                foreach (var decision in it.Item1.Allowed)
                {
                    writer.WriteStringValue(decision);
                }
                writer.WriteEndArray();
                if (it.note is not null)
                {
                    writer.WriteString("note"u8, it.note);
                }
                writer.WriteEndObject();
            }
        );

    /// <summary>
    /// Parses a decision: <c>"approve"</c>, <c>{"decision":"edit","arguments":{...}}</c>, <c>{"decision":"reject","message":"..."}</c> or
    /// <c>{"decision":"respond","value":...}</c>. The arguments may also be named <c>args</c>.
    /// </summary>
    /// <param name="call">The call that was shown. If an approval repeats the arguments, they must be the same.</param>
    /// <param name="answer">The person's answer.</param>
    /// <param name="fault">What is wrong with the answer if it is not a valid decision.</param>
    public Decision? Read(ToolCall call, JsonElement answer, out string fault)
    {
        var name = answer.ValueKind == JsonValueKind.String ? WellFormedText.Of(answer) : answer.TextProperty("decision");
        var arguments = answer.Property("args") ?? answer.Property("arguments");
        fault =
            name is null || !Allowed.Contains(name) ? $"the answer {JsonBytes.Compact(answer)} is not one of {string.Join(", ", Allowed)}"
            : name == Edit && arguments is not { ValueKind: JsonValueKind.Object }
                ? """to edit, answer {"decision": "edit", "arguments": {...}} with all arguments"""
            : name == Approve && arguments is { } shown && !JsonElement.DeepEquals(shown, call.Arguments)
                ? "the approved arguments are not those of the call"
            : name == Respond && (answer.Property("value") ?? answer.Property("message")) is null
                ? """to respond, answer {"decision": "respond", "value": ...}"""
            : "";
        return fault.Length > 0
            ? null
            : new Decision(name!, arguments, answer.TextProperty("message"))
            {
                Value = answer.Property("value") ?? answer.Property("message"),
            };
    }
}

/// <summary>A person's decision about a tool call.</summary>
/// <param name="Kind"><see cref="ApprovalPolicy.Approve"/>, <see cref="ApprovalPolicy.Edit"/>, <see cref="ApprovalPolicy.Reject"/> or
/// <see cref="ApprovalPolicy.Respond"/>.</param>
/// <param name="Arguments">For an edit: the arguments to use instead.</param>
/// <param name="Message">For a rejection: the reason.</param>
public sealed record Decision(string Kind, JsonElement? Arguments, string? Message)
{
    /// <summary>For a response: the result of the call.</summary>
    public JsonElement? Value { get; init; }
}
