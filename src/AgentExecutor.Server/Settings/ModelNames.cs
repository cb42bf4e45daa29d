using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Server.Settings;

/// <summary>Parses the names of models in settings and options.</summary>
internal static class ModelNames
{
    /// <summary>
    /// Parses <c>provider:model</c>. A name without a provider, which includes the name of a fine-tuned model (<c>ft:...</c>), belongs to
    /// OpenAI, unless it begins with <c>claude</c>.
    /// </summary>
    public static ModelSpec Parse(string name) =>
        (name.StartsWith("ft:", StringComparison.Ordinal) ? null : ModelSpec.TryParse(name))
        ?? new ModelSpec
        {
            Provider = name.StartsWith("claude", StringComparison.OrdinalIgnoreCase) ? "anthropic" : "openai",
            Model = name,
        };
}
