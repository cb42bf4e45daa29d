using AgentExecutor.Adapters.Connections;
using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Validates the settings of PostgreSQL.</summary>
internal static class PostgresSettingsCheck
{
    private const string Form = "Use postgres://USER:PASSWORD@HOST:PORT/DB.";

    /// <summary>The maximum connection timeout of the driver.</summary>
    private const double LongestConnect = 1_024;

    private const int MostConnections = 1_000;

    public static IEnumerable<SettingFault> Check(PostgresSettings settings) =>
        [
            .. CheckUrl(settings.Url),
            .. SettingTexts.CheckHost(settings.Host, "DATABASE_URL"),
            .. SettingTexts.CheckPort(settings.Port),
            .. PostgresConnections.IsSchema(settings.Schema)
                ? []
                : (SettingFault[])
                    [
                        new SettingFault(
                            "SCHEMA",
                            $"'{settings.Schema}' is not a schema name. "
                                + "Use up to 41 lower-case letters, digits and '_', starting with a letter."
                        ),
                    ],
            .. PostgresConnections.IsSslMode(settings.SslMode)
                ? []
                : (SettingFault[])
                    [
                        new SettingFault(
                            "SSL_MODE",
                            $"'{settings.SslMode}' is not an SSL mode. Use one of {PostgresConnections.KnownSslModes}."
                        ),
                    ],
            .. SettingTexts.CheckFile(settings.SslRootCert, "SSL_ROOT_CERT"),
            .. CheckMaximum("CONNECT_TIMEOUT_SECONDS", settings.ConnectTimeoutSeconds, LongestConnect),
            .. CheckMaximum("MAX_POOL_SIZE", settings.MaxPoolSize, MostConnections),
            .. CheckMaximum("COMMITTERS", settings.Committers, MostConnections),
        ];

    private static IEnumerable<SettingFault> CheckMaximum(string setting, double value, double maximum)
    {
        if (value > maximum)
        {
            yield return new SettingFault(setting, FormattableString.Invariant($"{value} is too high. The maximum is {maximum}."));
        }
    }

    private static IEnumerable<SettingFault> CheckUrl(Secret url)
    {
        if (!url.IsSet)
        {
            yield break;
        }
        var text = url.Value!.Trim();
        if (SettingTexts.WithoutScheme(text, "postgres", 5432) is { } without)
        {
            yield return new SettingFault("URL", without);
        }
        else if (!text.Contains("://", StringComparison.Ordinal) && text.Contains('=', StringComparison.Ordinal))
        {
            yield return new SettingFault("URL", $"The value is a list of KEY=VALUE pairs, which is not supported. {Form}");
        }
        else if (
            !Uri.TryCreate(text, UriKind.Absolute, out var uri)
            || uri.Scheme is not ("postgres" or "postgresql")
            || uri.Host.Length == 0
        )
        {
            yield return new SettingFault("URL", $"The value is not a PostgreSQL URL. {Form}");
        }
        else if (PostgresConnections.SslModeIn(uri) is { } mode && !PostgresConnections.IsSslMode(mode))
        {
            yield return new SettingFault("URL", $"The sslmode in the URL is not valid. Use one of {PostgresConnections.KnownSslModes}.");
        }
    }
}
