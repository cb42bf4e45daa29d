namespace AgentExecutor.Adapters.Scripts;

/// <summary>The languages of scripts.</summary>
internal enum ScriptLanguage
{
    Python,
    JavaScript,
    Shell,
}

/// <summary>The languages by their names in definitions.</summary>
internal static class ScriptLanguages
{
    public const string Names = "python, javascript or shell";

    /// <summary>Returns the language of a definition, or null if there is no such language.</summary>
    public static ScriptLanguage? Find(string? name) =>
        name?.Trim().ToLowerInvariant() switch
        {
            null or "" or "python" or "python3" or "py" => ScriptLanguage.Python,
            "javascript" or "js" or "node" => ScriptLanguage.JavaScript,
            "shell" or "sh" or "bash" => ScriptLanguage.Shell,
            _ => null,
        };
}
