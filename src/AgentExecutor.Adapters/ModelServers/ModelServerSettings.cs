using AgentExecutor.Core;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>The servers of language models, and their keys.</summary>
public sealed record ModelServerSettings
{
    /// <summary>The API key of the provider `openai`.</summary>
    public Secret OpenaiApiKey { get; init; }

    /// <summary>The base URL of the provider `openai`; by default `https://api.openai.com/v1`.</summary>
    public string? OpenaiBaseUrl { get; init; }

    /// <summary>The API key of the provider `anthropic`.</summary>
    public Secret AnthropicApiKey { get; init; }

    /// <summary>The base URL of the provider `anthropic`; by default `https://api.anthropic.com`.</summary>
    public string? AnthropicBaseUrl { get; init; }

    /// <summary>The API key of the provider `ollama`, if the server requires one.</summary>
    public Secret OllamaApiKey { get; init; }

    /// <summary>The base URL of the provider `ollama`; by default `http://localhost:11434/v1`.</summary>
    public string? OllamaBaseUrl { get; init; }

    /// <summary>The API key of the provider `openai-compatible`, if the server requires one.</summary>
    public Secret OpenaiCompatibleApiKey { get; init; }

    /// <summary>The base URL of the provider `openai-compatible`, for definitions without a `base_url`.</summary>
    public string? OpenaiCompatibleBaseUrl { get; init; }

    /// <summary>
    /// Additional hosts, as `host` or `host:port` separated by commas, that the `base_url` of a definition may name. They may be private,
    /// and receive the API key of the provider that the definition names. Other hosts receive no key.
    /// </summary>
    public string AllowedHosts { get; init; } = "";

    /// <summary>
    /// Whether the `base_url` of a definition may name loopback, private and link-local addresses that are not in the list of allowed
    /// hosts. By default the command line allows it and a service does not, as for tools.
    /// </summary>
    public bool? AllowPrivateNetworks { get; init; }
}
