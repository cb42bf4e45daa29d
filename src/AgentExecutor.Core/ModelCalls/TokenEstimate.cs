using System.Text.Json;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>How many tokens a text may have, without the model's own tokenizer: about four characters each.</summary>
public static class TokenEstimate
{
    public const int CharactersPerToken = 4;

    public static long Of(long characters) => (characters + CharactersPerToken - 1) / CharactersPerToken;

    /// <summary>Characters that declaring these tools adds to each request.</summary>
    public static long LengthOf(IEnumerable<AITool> tools) => tools.Sum(static tool => tool.Name.Length + tool.Description.Length
        + (tool is AIFunctionDeclaration { JsonSchema.ValueKind: not JsonValueKind.Undefined } function ? function.JsonSchema.GetRawText().Length : 0L));
}
