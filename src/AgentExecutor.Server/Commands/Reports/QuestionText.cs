using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Server.View;

namespace AgentExecutor.Server.Commands.Reports;

/// <summary>Shows a question in the terminal. Texts of models and definitions are made safe to print.</summary>
internal static class QuestionText
{
    private const string ResultForm = """{"status": "success", "output": ...} or {"status": "error", "error": ...}""";

    /// <summary>Returns the lines: the question, then what it is about and how it can be answered, indented.</summary>
    public static IEnumerable<string> Of(JsonElement question)
    {
        if (question.TextProperty("call_id") is { } call)
        {
            return OfExternalCall(question, call);
        }
        return (question.TextProperty("message") ?? question.TextProperty("text")) is { } text
            ? OfQuestion(question, text)
            : [$"waiting for an answer: {Compact(question)}"];
    }

    private static IEnumerable<string> OfExternalCall(JsonElement question, string call)
    {
        var tool = EventText.Safe(question.TextProperty("tool") ?? "");
        yield return $"waiting for the result of the tool {tool}, which is executed elsewhere: "
            + Compact(question.Property("arguments") ?? question);
        yield return $"  call {EventText.Safe(call)}; a result is {ResultForm}";
    }

    private static IEnumerable<string> OfQuestion(JsonElement question, string text)
    {
        yield return $"waiting for an answer: {EventText.Safe(text)}";
        if (question.TextProperty("tool") is { } tool)
        {
            // The whole arguments, because a person decides about them.
            yield return $"  {EventText.Safe(tool)} {Compact(question.Property("args") ?? default)}";
        }
        if (question.TextProperty("note") is { } note)
        {
            yield return $"  {EventText.Safe(note)}";
        }
        if ((List(question, "options") ?? List(question, "allowed")) is { } answers)
        {
            yield return $"  allowed answers: {answers}";
        }
    }

    private static string? List(JsonElement question, string name) =>
        question.Property(name) is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() > 0
            ? EventText.Safe(string.Join(", ", list.EnumerateArray().Select(JsonBytes.Display)))
            : null;

    private static string Compact(JsonElement json) =>
        json.ValueKind == JsonValueKind.Undefined ? "" : EventText.Safe(JsonBytes.Compact(json));
}
