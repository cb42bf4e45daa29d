using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Tools.Builtin;

/// <summary>
/// The tool <c>ask_person</c>: asks a person a question, and returns the answer. Its entry in <c>interrupt_on</c> says who is asked and how
/// long.
/// </summary>
internal sealed class AskPersonTool : Tool
{
    private const string Key = "ask";

    public override string Name => "ask_person";

    public override string Description =>
        """
            Asks a person a question and waits for the answer, which may take long. Use it if you need a decision or a fact that only a
            person can give. Ask one complete question that the person understands without knowing the conversation. Give options if only
            certain answers make sense.
            """;

    public override JsonElement Parameters { get; } =
        ToolArguments.Schema(
            """
            {"type": "object", "required": ["question"], "properties": {
              "question": {"type": "string", "minLength": 1, "description": "The question"},
              "options": {"type": "array", "items": {"type": "string", "minLength": 1},
                "description": "The answers that are possible; without them the person answers freely"}}}
            """
        );

    public override bool AsksItself => true;

    public override bool IsContinued(ToolContext context) => context.Node.HasAnswer(Key);

    public override ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        var options = arguments.Property("options") is { ValueKind: JsonValueKind.Array } list
            ? list.EnumerateArray().Select(JsonBytes.Display).ToImmutableArray()
            : [];
        string? note = null;
        for (var round = 0; ; round++)
        {
            var question = Question(arguments.Text("question"), options, context.Agent, note);
            var value = FreeAnswer.ValueOf(context.Node.Interrupt(question, round == 0 ? Key : $"{Key}-{round}", context.Terms));
            if (FreeAnswer.IsOption(value, options))
            {
                return ValueTask.FromResult<ToolResult>(JsonBytes.Display(value));
            }
            note = FreeAnswer.NotAnOption(value, options);
        }
    }

    private static JsonElement Question(string text, ImmutableArray<string> options, string agent, string? note) =>
        JsonBytes.Element(
            (text, options, agent, note),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("text"u8, it.text);
                writer.WriteString("agent"u8, it.agent);
                FreeAnswer.WriteAllowed(writer, it.options, it.note);
                writer.WriteEndObject();
            }
        );
}
