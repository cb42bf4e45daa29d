using System.Text.Json;
using AgentExecutor.Core.Expressions;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Steps;

/// <summary>Asks a person a question and writes the answer to a channel.</summary>
internal sealed class HumanStep(Template question, string output) : NodeBody
{
    public override ValueTask RunAsync(NodeContext context, CancellationToken cancellationToken)
    {
        var asked = JsonBytes.Element(
            (context.Node, question.Fill(context.State)),
            static (Utf8JsonWriter writer, (string Node, JsonElement Question) it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("node"u8, it.Node);
                writer.WritePropertyName("question"u8);
                it.Question.WriteTo(writer);
                writer.WriteEndObject();
            }
        );
        context.WriteJson(output, context.Interrupt(asked));
        return ValueTask.CompletedTask;
    }
}
