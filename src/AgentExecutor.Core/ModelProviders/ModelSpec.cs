using System.Collections.Immutable;
using System.Text.Json;

namespace AgentExecutor.Core.ModelProviders;

/// <summary>The model that an agent uses, with its settings.</summary>
public sealed record ModelSpec
{
    public required string Provider { get; init; }

    public required string Model { get; init; }

    public float? Temperature { get; init; }

    public int? MaxTokens { get; init; }

    /// <summary>One of <see cref="ReasoningEfforts"/>; null for the model's default.</summary>
    public string? ReasoningEffort { get; init; }

    public string? BaseUrl { get; init; }

    /// <summary>The maximum number of input tokens that the model accepts. It determines when a conversation is summarised.</summary>
    public int ContextTokens { get; init; } = 128_000;

    /// <summary>The models that are asked, in this order, when this model fails for good.</summary>
    public ImmutableArray<ModelSpec> Fallbacks { get; init; } = [];

    /// <summary>True if the fallbacks are also asked when this model refuses to answer.</summary>
    public bool FallbackOnRefusal { get; init; }

    /// <summary>For the scripted provider: its turns.</summary>
    public JsonElement Script { get; init; }

    public override string ToString() => $"{Provider}:{Model}";

    /// <summary>Parses <c>provider:model</c>. Returns null if the text does not have this form.</summary>
    public static ModelSpec? TryParse(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && colon < text.Length - 1 ? new ModelSpec { Provider = text[..colon], Model = text[(colon + 1)..] } : null;
    }
}
