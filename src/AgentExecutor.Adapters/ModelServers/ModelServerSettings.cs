using AgentExecutor.Core;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>Servers of language models, and the keys to them.</summary>
public sealed record ModelServerSettings
{
    /// <summary>The key of the provider `openai`.</summary>
    public Secret OpenaiApiKey { get; init; }

    /// <summary>Where the provider `openai` is; `https://api.openai.com/v1` where it is not set.</summary>
    public string? OpenaiBaseUrl { get; init; }

    /// <summary>The key of the provider `anthropic`.</summary>
    public Secret AnthropicApiKey { get; init; }

    /// <summary>Where the provider `anthropic` is; `https://api.anthropic.com` where it is not set.</summary>
    public string? AnthropicBaseUrl { get; init; }

    /// <summary>The key of the provider `ollama`, where the server asks for one.</summary>
    public Secret OllamaApiKey { get; init; }

    /// <summary>Where the provider `ollama` is; `http://localhost:11434/v1` where it is not set.</summary>
    public string? OllamaBaseUrl { get; init; }

    /// <summary>The key of the provider `openai-compatible`, where the server asks for one.</summary>
    public Secret OpenaiCompatibleApiKey { get; init; }

    /// <summary>Where the provider `openai-compatible` is, for definitions that give no `base_url`.</summary>
    public string? OpenaiCompatibleBaseUrl { get; init; }

    /// <summary>
    /// Hosts (`host` or `host:port`, with commas) that a definition's `base_url` may name besides: they may be private, and are given the key of the provider
    /// that the definition names. Other hosts get no key.
    /// </summary>
    public string AllowedHosts { get; init; } = "";

    /// <summary>
    /// Let a definition's `base_url` name loopback, private and link-local addresses that are not listed. Where it is not set, the command line does and a service
    /// does not, as with tools.
    /// </summary>
    public bool? AllowPrivateNetworks { get; init; }
}
