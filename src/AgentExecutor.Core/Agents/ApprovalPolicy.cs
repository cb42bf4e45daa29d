using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Agents;

/// <summary>What a person may decide about a tool call before it is made: approve, edit or reject.</summary>
public sealed record ApprovalPolicy(ImmutableArray<string> Allowed)
{
    public const string Approve = "approve";
    public const string Edit = "edit";
    public const string Reject = "reject";

    public static readonly ApprovalPolicy All = new([Approve, Edit, Reject]);

    public JsonElement Question(ToolCall call, string? note) => JsonBytes.Element((this, call, note), static (writer, it) =>
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
    });

    /// <summary>Reads <c>"approve"</c>, <c>{"decision":"edit","args":{...}}</c> or <c>{"decision":"reject","message":"..."}</c>.</summary>
    /// <param name="fault">What is wrong with the answer, where it is no decision.</param>
    public Decision? Read(JsonElement answer, out string fault)
    {
        var name = answer.ValueKind == JsonValueKind.String ? answer.GetString() : answer.TextProperty("decision");
        fault = name is null || !Allowed.Contains(name)
            ? $"the answer {JsonBytes.Compact(answer)} is none of {string.Join(", ", Allowed)}"
            : name == Edit && answer.Property("args") is not { ValueKind: JsonValueKind.Object }
                ? """to edit, answer {"decision": "edit", "args": {...}} with all arguments"""
                : "";
        return fault.Length > 0 ? null : new Decision(name!, answer.Property("args"), answer.TextProperty("message"));
    }
}

/// <summary>What a person decided about a tool call.</summary>
/// <param name="Kind">One of <see cref="ApprovalPolicy.Approve"/>, <see cref="ApprovalPolicy.Edit"/>, <see cref="ApprovalPolicy.Reject"/>.</param>
/// <param name="Arguments">The arguments to call with instead.</param>
/// <param name="Message">Why it was rejected.</param>
public sealed record Decision(string Kind, JsonElement? Arguments, string? Message);
