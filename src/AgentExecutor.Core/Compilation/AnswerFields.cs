using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Compilation;

/// <summary>Reads and checks the field <c>answer</c> of a node that asks a person.</summary>
internal static class AnswerFields
{
    private const string OptionsField = "options";

    /// <param name="type">The type of the node.</param>
    /// <param name="config">The node.</param>
    /// <param name="fault">What is wrong with the field, or "".</param>
    public static InterruptTerms Terms(string type, NodeConfig config, out string fault)
    {
        var isHuman = type == NodeTypes.Human;
        var terms = AnswerTermsReader.Read(
            config.Answer ?? default,
            isHuman ? [FreeAnswer.Respond] : ["approve"],
            InterruptTerms.Fail,
            isHuman ? [OptionsField] : [],
            out fault
        );
        if (fault.Length == 0 && config.Answer?.Property(OptionsField) is { } options && !IsList(options))
        {
            fault = "'options' is not a list of at least one text";
        }
        return terms;
    }

    /// <summary>The answers that the person can give; empty if every answer is possible.</summary>
    public static ImmutableArray<string> Options(NodeConfig config) =>
        config.Answer?.Property(OptionsField) is { } options && IsList(options)
            ? [.. options.EnumerateArray().Select(JsonBytes.Display)]
            : [];

    public static IEnumerable<DefinitionFault> Check(GraphPart part, NodeDefinition node, NodeConfig config, int index)
    {
        if (config.Answer is null)
        {
            yield break;
        }
        var path = part.PathOf(index, "answer");
        if (node.Type != NodeTypes.Human && config.InterruptBefore != true && config.InterruptAfter != true)
        {
            yield return new DefinitionFault(
                DefinitionCodes.WrongValue,
                path,
                "the node asks nobody",
                "remove 'answer', or set 'interrupt_before' or 'interrupt_after'; for tools use 'interrupt_on'"
            );
        }
        _ = Terms(node.Type, config, out var fault);
        if (fault.Length > 0)
        {
            yield return new DefinitionFault(
                DefinitionCodes.WrongValue,
                path,
                fault,
                """write, for example, {"recipient": "ops", "timeout_seconds": 3600, "on_timeout": "fail"}"""
            );
        }
    }

    private static bool IsList(JsonElement json) =>
        json.ValueKind == JsonValueKind.Array
        && json.GetArrayLength() > 0
        && json.EnumerateArray().All(static item => item.ValueKind == JsonValueKind.String);
}
