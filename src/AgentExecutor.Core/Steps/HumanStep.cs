using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Expressions;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Steps;

/// <summary>Asks a person a question and writes the answer to a channel.</summary>
internal sealed class HumanStep(Template question, string output, InterruptTerms terms, ImmutableArray<string> options) : NodeBody
{
    public override ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken)
    {
        var filled = question.Fill(context.State);
        string? note = null;
        for (var round = 0; ; round++)
        {
            var value = FreeAnswer.ValueOf(
                context.Interrupt(
                    Question(context.Node, filled, note),
                    round.ToString(System.Globalization.CultureInfo.InvariantCulture),
                    terms
                )
            );
            if (FreeAnswer.IsOption(value, options))
            {
                context.WriteJson(output, value);
                return ValueTask.CompletedTask;
            }
            note = FreeAnswer.NotAnOption(value, options);
        }
    }

    private JsonElement Question(string node, JsonElement filled, string? note) =>
        JsonBytes.Element(
            (node, filled, note, options),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("node"u8, it.node);
                writer.WritePropertyName("question"u8);
                it.filled.WriteTo(writer);
                writer.WriteString("text"u8, JsonBytes.Display(it.filled));
                FreeAnswer.WriteAllowed(writer, it.options, it.note);
                writer.WriteEndObject();
            }
        );
}
