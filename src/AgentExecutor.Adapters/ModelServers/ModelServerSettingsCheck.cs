using AgentExecutor.Adapters.Connections;
using AgentExecutor.Core;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>Validates the settings of model servers.</summary>
internal static class ModelServerSettingsCheck
{
    public static IEnumerable<SettingFault> Check(ModelServerSettings settings) =>
        [
            .. CheckUrl(settings.OpenaiBaseUrl, "OPENAI_BASE_URL", "https"),
            .. CheckUrl(settings.AnthropicBaseUrl, "ANTHROPIC_BASE_URL", "https"),
            .. CheckUrl(settings.OllamaBaseUrl, "OLLAMA_BASE_URL", "http"),
            .. CheckUrl(settings.OpenaiCompatibleBaseUrl, "OPENAI_COMPATIBLE_BASE_URL", "http"),
        ];

    private static IEnumerable<SettingFault> CheckUrl(string? text, string setting, string scheme)
    {
        if (string.IsNullOrWhiteSpace(text) || EndpointResolver.Parse(text) is not null)
        {
            yield break;
        }
        yield return new SettingFault(
            setting,
            SettingTexts.WithoutScheme(text.Trim(), scheme, 0)
                ?? "The value is not a plain HTTP URL. Use only scheme, host, port and path, without user, password, query or fragment."
        );
    }
}
