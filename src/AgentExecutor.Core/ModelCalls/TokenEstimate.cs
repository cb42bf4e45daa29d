using System.Text.Json;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>Estimates the number of tokens of a text without the model's tokenizer, assuming about four characters per token.</summary>
public static class TokenEstimate
{
    public const int CharactersPerToken = 4;

    public static long Of(long characters) => (characters + CharactersPerToken - 1) / CharactersPerToken;

    /// <summary>Returns the number of characters that the declarations of these tools add to each request.</summary>
    public static long LengthOf(IEnumerable<AITool> tools) =>
        tools.Sum(static tool =>
            tool.Name.Length
            + tool.Description.Length
            + (
                tool is AIFunctionDeclaration { JsonSchema.ValueKind: not JsonValueKind.Undefined } function
                    ? function.JsonSchema.GetRawText().Length
                    : 0L
            )
        );
}
