using System.Security.Cryptography;
using System.Text;
using AgentExecutor.Core.Definitions;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>The script of a tool.</summary>
/// <param name="Tool">The name of the tool.</param>
/// <param name="Language">The language.</param>
/// <param name="Text">The source.</param>
/// <param name="UsesNetwork">True if the script asks for the network.</param>
internal sealed record ScriptSource(string Tool, ScriptLanguage Language, string Text, bool UsesNetwork)
{
    /// <summary>The packages that the script needs.</summary>
    public IReadOnlyList<string> Dependencies { get; init; } = [];

    /// <summary>Identifies everything that determines how the script behaves.</summary>
    public string Hash { get; private init; } = "";

    /// <summary>Returns the script of a definition, or null if it has none or its language is unknown.</summary>
    public static ScriptSource? Of(ToolDefinition definition)
    {
        if (definition.Runtime is not { Script: { } text } runtime || ScriptLanguages.Find(runtime.Language) is not { } language)
        {
            return null;
        }
        var dependencies = runtime.Dependencies ?? [];
        var uses = runtime.Network ?? false;
        var identity = string.Join('\0', [definition.Name, $"{language}", $"{uses}", .. dependencies, text]);
        return new ScriptSource(definition.Name, language, text, uses)
        {
            Dependencies = dependencies,
            Hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(identity))),
        };
    }
}
