using AgentExecutor.Core;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// A provider as configured by the operator: its name, its key, and its address unless a definition provides another one.
/// </summary>
/// <param name="Name">The name, as in <c>model.provider</c>.</param>
/// <param name="Key">The key.</param>
/// <param name="KeyVariable">The variable that sets the key, for hints.</param>
/// <param name="BaseUrl">The server that the operator configured.</param>
/// <param name="BaseUrlVariable">The variable that sets the server, for hints.</param>
/// <param name="Home">The provider's own server, or null if there is none.</param>
/// <param name="NeedsKey">True if its own server requires a key.</param>
internal sealed record ModelServer(
    string Name,
    Secret Key,
    string KeyVariable,
    string? BaseUrl,
    string BaseUrlVariable,
    string? Home,
    bool NeedsKey
)
{
    public const string Anthropic = "anthropic",
        OpenAI = "openai",
        OpenAICompatible = "openai-compatible",
        Ollama = "ollama";

    public static ModelServer ForAnthropic(ModelServerSettings settings) =>
        new(
            Anthropic,
            settings.AnthropicApiKey,
            "ANTHROPIC_API_KEY",
            settings.AnthropicBaseUrl,
            "ANTHROPIC_BASE_URL",
            "https://api.anthropic.com",
            NeedsKey: true
        );

    public static ModelServer ForOpenAI(ModelServerSettings settings) =>
        new(
            OpenAI,
            settings.OpenaiApiKey,
            "OPENAI_API_KEY",
            settings.OpenaiBaseUrl,
            "OPENAI_BASE_URL",
            "https://api.openai.com/v1",
            NeedsKey: true
        );

    public static ModelServer ForOpenAICompatible(ModelServerSettings settings) =>
        new(
            OpenAICompatible,
            settings.OpenaiCompatibleApiKey,
            "OPENAI_COMPATIBLE_API_KEY",
            settings.OpenaiCompatibleBaseUrl,
            "OPENAI_COMPATIBLE_BASE_URL",
            Home: null,
            NeedsKey: false
        );

    public static ModelServer ForOllama(ModelServerSettings settings) =>
        new(
            Ollama,
            settings.OllamaApiKey,
            "OLLAMA_API_KEY",
            settings.OllamaBaseUrl,
            "OLLAMA_BASE_URL",
            "http://localhost:11434/v1",
            NeedsKey: false
        );
}
