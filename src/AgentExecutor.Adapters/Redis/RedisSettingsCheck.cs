using AgentExecutor.Adapters.Connections;
using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Redis;

/// <summary>Finds all faults in the settings of the Redis-compatible server.</summary>
internal static class RedisSettingsCheck
{
    public static IEnumerable<SettingFault> Check(RedisSettings settings) =>
        [
            .. CheckUrl(settings),
            .. SettingTexts.CheckHost(settings.Host, "REDIS_URL"),
            .. SettingTexts.CheckPort(settings.Port),
            .. SettingTexts.CheckFile(settings.TlsCa, "TLS_CA"),
        ];

    private static IEnumerable<SettingFault> CheckUrl(RedisSettings settings)
    {
        if (!settings.Url.IsSet)
        {
            return [];
        }
        if (SettingTexts.WithoutScheme(settings.Url.Value!.Trim(), "redis", RedisEndpoint.DefaultPort) is { } without)
        {
            return [new SettingFault("URL", without)];
        }
        try
        {
            _ = RedisEndpoint.Of(settings);
            return [];
        }
        catch (RedisFaultException exception)
        {
            return [new SettingFault("URL", exception.Message.Replace("REDIS_URL cannot be used: ", "", StringComparison.Ordinal))];
        }
    }
}
