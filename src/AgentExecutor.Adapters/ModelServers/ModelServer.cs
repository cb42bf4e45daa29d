using AgentExecutor.Core;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>A provider as the operator set it up: what definitions call it, its key, and where it is unless they say otherwise.</summary>
/// <param name="Name">As in <c>model.provider</c>.</param>
/// <param name="Key">Its key.</param>
/// <param name="KeyVariable">The variable that sets the key, for hints.</param>
/// <param name="BaseUrl">The server that the operator named.</param>
/// <param name="BaseUrlVariable">The variable that names the server, for hints.</param>
/// <param name="Home">The provider's own server; null where there is none.</param>
/// <param name="NeedsKey">Its own server answers nobody without a key.</param>
internal sealed record ModelServer(string Name, Secret Key, string KeyVariable, string? BaseUrl, string BaseUrlVariable, string? Home, bool NeedsKey)
{
    public const string Anthropic = "anthropic", OpenAI = "openai", OpenAICompatible = "openai-compatible", Ollama = "ollama";

    public static ModelServer ForAnthropic(ModelServerSettings settings) => new(
        Anthropic, settings.AnthropicApiKey, "ANTHROPIC_API_KEY", settings.AnthropicBaseUrl, "ANTHROPIC_BASE_URL", "https://api.anthropic.com", NeedsKey: true);

    public static ModelServer ForOpenAI(ModelServerSettings settings) => new(
        OpenAI, settings.OpenaiApiKey, "OPENAI_API_KEY", settings.OpenaiBaseUrl, "OPENAI_BASE_URL", "https://api.openai.com/v1", NeedsKey: true);

    public static ModelServer ForOpenAICompatible(ModelServerSettings settings) => new(
        OpenAICompatible, settings.OpenaiCompatibleApiKey, "OPENAI_COMPATIBLE_API_KEY", settings.OpenaiCompatibleBaseUrl, "OPENAI_COMPATIBLE_BASE_URL", Home: null, NeedsKey: false);

    public static ModelServer ForOllama(ModelServerSettings settings) => new(
        Ollama, settings.OllamaApiKey, "OLLAMA_API_KEY", settings.OllamaBaseUrl, "OLLAMA_BASE_URL", "http://localhost:11434/v1", NeedsKey: false);
}
