using System.Collections.Immutable;
using System.Text.Json;

namespace AgentExecutor.Core.ModelProviders;

/// <summary>Which model an agent speaks with, and how.</summary>
public sealed record ModelSpec
{
    public required string Provider { get; init; }

    public required string Model { get; init; }

    public float? Temperature { get; init; }

    public int? MaxTokens { get; init; }

    /// <summary>One of <see cref="ReasoningEfforts"/>; the model's own where it is null.</summary>
    public string? ReasoningEffort { get; init; }

    public string? BaseUrl { get; init; }

    /// <summary>The most input tokens that the model takes; what triggers summarisation.</summary>
    public int ContextTokens { get; init; } = 128_000;

    /// <summary>The models that are asked, in order, when this one fails for good.</summary>
    public ImmutableArray<ModelSpec> Fallbacks { get; init; } = [];

    /// <summary>They are asked also where this one refuses to answer.</summary>
    public bool FallbackOnRefusal { get; init; }

    /// <summary>Of the scripted provider: its turns.</summary>
    public JsonElement Script { get; init; }

    public override string ToString() => $"{Provider}:{Model}";

    /// <summary>Reads <c>provider:model</c>; null where the text is not of that form.</summary>
    public static ModelSpec? TryParse(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && colon < text.Length - 1 ? new ModelSpec { Provider = text[..colon], Model = text[(colon + 1)..] } : null;
    }
}
