using AgentExecutor.Adapters.Connections;
using AgentExecutor.Core;
using NATS.NKeys;

namespace AgentExecutor.Adapters.Nats;

/// <summary>Validates the settings of NATS.</summary>
internal static class NatsSettingsCheck
{
    private const int MaxReplicas = 5;
    private const int MaxNameLength = 255;

    public static IEnumerable<SettingFault> Check(NatsSettings settings)
    {
        IEnumerable<SettingFault> faults =
        [
            .. CheckUrl(settings.Url),
            .. SettingTexts.CheckFile(settings.Creds, "CREDS"),
            .. SettingTexts.CheckFile(settings.TlsCa, "TLS_CA"),
            .. CheckName(settings.StreamName, "STREAM_NAME"),
            .. CheckName(settings.ConsumerGroup, "CONSUMER_GROUP"),
        ];
        foreach (var fault in faults)
        {
            yield return fault;
        }
        if (settings.NkeySeed.IsSet && !IsSeed(settings.NkeySeed.Value!))
        {
            yield return new SettingFault(
                "NKEY_SEED",
                "The value is not an nkey seed of a user, which has 58 characters and starts with SU."
            );
        }
        if (settings.Password.IsSet && settings.User.Length == 0)
        {
            yield return new SettingFault(
                "PASSWORD",
                "There is no user for this password. Set AGENT_EXECUTOR_NATS_USER, or include user and password in the URL."
            );
        }
        if (settings.Replicas > MaxReplicas)
        {
            yield return new SettingFault(
                "REPLICAS",
                $"{settings.Replicas} is too many. JetStream keeps at most {MaxReplicas} replicas of a stream."
            );
        }
    }

    private static IEnumerable<SettingFault> CheckUrl(Secret urls)
    {
        if (!urls.IsSet)
        {
            yield break;
        }
        foreach (var text in urls.Value!.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (SettingTexts.WithoutScheme(text, "nats", NatsServerUrl.DefaultPort) is { } without)
            {
                yield return new SettingFault("URL", without);
                yield break;
            }
        }
        if (FaultOf(urls.Value!) is { } fault)
        {
            yield return new SettingFault("URL", fault);
        }
    }

    private static IEnumerable<SettingFault> CheckName(string name, string setting)
    {
        if (
            name.Length is 0 or > MaxNameLength
            || name.Any(it => it is '.' or '*' or '>' or '/' or '\\' || char.IsWhiteSpace(it) || char.IsControl(it))
        )
        {
            yield return new SettingFault(
                setting,
                $"The value is not a valid NATS name. Use 1 to {MaxNameLength} characters, without spaces and without . * > / \\"
            );
        }
    }

    private static bool IsSeed(string seed)
    {
        try
        {
            using var key = KeyPair.FromSeed(seed);
            return key.GetPublicKey().StartsWith('U');
        }
        catch (Exception exception) when (exception is NKeysException or ArgumentException or FormatException or IndexOutOfRangeException)
        {
            return false;
        }
    }

    private static string? FaultOf(string urls)
    {
        try
        {
            NatsServerUrl.ParseAll(urls);
            return null;
        }
        catch (FormatException exception)
        {
            return exception.Message;
        }
    }
}
