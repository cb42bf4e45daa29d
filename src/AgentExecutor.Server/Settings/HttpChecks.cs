using AgentExecutor.Core;

namespace AgentExecutor.Server.Settings;

/// <summary>Validates the settings that decide which hosts and web pages may use the service.</summary>
internal static class HttpChecks
{
    /// <summary>Returns all errors, each with the name of the setting in <see cref="HttpSettings"/>.</summary>
    public static IEnumerable<SettingFault> Check(HttpSettings settings) =>
        [
            .. ListSetting.Items(settings.AllowedHosts).Where(text => HostPattern.Parse(text) is null).Select(NotHost),
            .. ListSetting.Items(settings.AllowedOrigins).Where(text => WebOrigin.Parse(text) is null).Select(NotOrigin),
            .. new[] { settings.PublicUrl }.Where(text => text.Length > 0 && WebOrigin.ParseUrl(text) is null).Select(NotUrl),
        ];

    private static SettingFault NotHost(string text) =>
        new("ALLOWED_HOSTS", $"'{text}' is not a host name. Use names such as agents.example.com or *.example.com, separated by commas.");

    private static SettingFault NotOrigin(string text) =>
        new(
            "ALLOWED_ORIGINS",
            $"'{text}' is not an origin. Use origins such as https://app.example.com, separated by commas, or * for all."
        );

    private static SettingFault NotUrl(string text) =>
        new("PUBLIC_URL", $"'{text}' is not a URL. Use the URL of the service for its clients, such as https://agents.example.com.");
}
