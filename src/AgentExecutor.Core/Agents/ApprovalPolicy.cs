using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Agents;

/// <summary>The decisions that a person can make about a tool call before it is made: approve, edit or reject.</summary>
public sealed record ApprovalPolicy(ImmutableArray<string> Allowed)
{
    public const string Approve = "approve";
    public const string Edit = "edit";
    public const string Reject = "reject";

    public static readonly ApprovalPolicy All = new([Approve, Edit, Reject]);

    public JsonElement Question(ToolCall call, string? note) =>
        JsonBytes.Element(
            (this, call, note),
            static (writer, it) =>
            {
                writer.WriteStartObject();
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
    /// Parses a decision: <c>"approve"</c>, <c>{"decision":"edit","args":{...}}</c> or <c>{"decision":"reject","message":"..."}</c>.
    /// </summary>
    /// <param name="answer">The person's answer.</param>
    /// <param name="fault">What is wrong with the answer if it is not a valid decision.</param>
    public Decision? Read(JsonElement answer, out string fault)
    {
        var name = answer.ValueKind == JsonValueKind.String ? WellFormedText.Of(answer) : answer.TextProperty("decision");
        fault =
            name is null || !Allowed.Contains(name) ? $"the answer {JsonBytes.Compact(answer)} is not one of {string.Join(", ", Allowed)}"
            : name == Edit && answer.Property("args") is not { ValueKind: JsonValueKind.Object }
                ? """to edit, answer {"decision": "edit", "args": {...}} with all arguments"""
            : "";
        return fault.Length > 0 ? null : new Decision(name!, answer.Property("args"), answer.TextProperty("message"));
    }
}

/// <summary>A person's decision about a tool call.</summary>
/// <param name="Kind"><see cref="ApprovalPolicy.Approve"/>, <see cref="ApprovalPolicy.Edit"/> or
/// <see cref="ApprovalPolicy.Reject"/>.</param>
/// <param name="Arguments">For an edit: the arguments to use instead.</param>
/// <param name="Message">For a rejection: the reason.</param>
public sealed record Decision(string Kind, JsonElement? Arguments, string? Message);
