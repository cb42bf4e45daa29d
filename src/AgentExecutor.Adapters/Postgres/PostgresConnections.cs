using System.Globalization;
using System.Text.RegularExpressions;
using AgentExecutor.Core;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Creates connection pools from the settings.</summary>
internal static partial class PostgresConnections
{
    /// <summary>Each statement is planned only once, for all values.</summary>
    public const string PlanCacheMode = "force_generic_plan";

    private static readonly Dictionary<string, SslMode> SslModes = new(StringComparer.OrdinalIgnoreCase)
    {
        ["disable"] = SslMode.Disable,
        ["allow"] = SslMode.Allow,
        ["prefer"] = SslMode.Prefer,
        ["require"] = SslMode.Require,
        ["verify-ca"] = SslMode.VerifyCA,
        ["verify-full"] = SslMode.VerifyFull,
    };

    public static NpgsqlDataSource Open(NpgsqlConnectionStringBuilder options)
    {
        // The statements use a few built-in types only. Setting up all others would take time and memory at each start.
        var source = new NpgsqlSlimDataSourceBuilder(options.ConnectionString);
        source.EnableArrays().EnableTransportSecurity().EnableIntegratedSecurity();
        source.ConfigureTypeLoading(types => types.EnableTypeLoading(false));
        return options.Host!.Contains(',', StringComparison.Ordinal)
            ? source.BuildMultiHost().WithTargetSession(TargetSessionAttributes.Primary)
            : source.Build();
    }

    /// <summary>
    /// Returns the server settings for the statements of this program. The statements find rows by their keys, so they are planned to use
    /// indexes, even if the statistics of a new table suggest other plans. Abandoned transactions are ended.
    /// </summary>
    /// <param name="settings">The time limits.</param>
    /// <param name="hasBitmaps">False for statements that read pages of long ranges.</param>
    public static IReadOnlyList<KeyValuePair<string, string>> ServerSettings(PostgresSettings settings, bool hasBitmaps)
    {
        List<KeyValuePair<string, string>> all =
        [
            new("statement_timeout", Milliseconds(TimeSpan.FromSeconds(settings.StatementTimeoutSeconds))),
            LockTimeout(TimeSpan.FromSeconds(settings.LockTimeoutSeconds)),
            new("idle_in_transaction_session_timeout", "60000"),
            new("plan_cache_mode", PlanCacheMode),
            new("enable_seqscan", "off"),
            new("enable_hashjoin", "off"),
            new("enable_mergejoin", "off"),
            new("jit", "off"),
        ];
        if (!hasBitmaps)
        {
            all.Add(new("enable_bitmapscan", "off"));
        }
        return all;
    }

    public static KeyValuePair<string, string> LockTimeout(TimeSpan time) => new("lock_timeout", Milliseconds(time));

    /// <summary>Returns a statement that applies the settings to the current transaction.</summary>
    public static string ForTransaction(IEnumerable<KeyValuePair<string, string>> settings) =>
        $"SELECT {string.Join(", ", settings.Select(it => $"set_config('{it.Key}', '{it.Value}', true)"))}";

    /// <summary>
    /// Returns the options for connections to the server itself: the settings are sent as start-up parameters, and statements are prepared.
    /// </summary>
    public static NpgsqlConnectionStringBuilder ForSession(
        NpgsqlConnectionStringBuilder options,
        IEnumerable<KeyValuePair<string, string>> settings
    ) =>
        new(options.ConnectionString)
        {
            MaxAutoPrepare = 64,
            AutoPrepareMinUsages = 2,
            Options = string.Join(' ', settings.Select(it => $"-c {it.Key}={it.Value}")),
        };

    /// <summary>Returns the options for connections to a pooler, which must not change a session that others share.</summary>
    public static NpgsqlConnectionStringBuilder ForPooler(NpgsqlConnectionStringBuilder options) =>
        new(options.ConnectionString) { NoResetOnClose = true };

    /// <summary>Returns the options that all connections have in common.</summary>
    /// <exception cref="FaultException">A setting is invalid.</exception>
    public static NpgsqlConnectionStringBuilder Options(PostgresSettings settings)
    {
        CheckSchema(settings.Schema);
        if (settings.Port is < 1 or > 65535)
        {
            throw new FaultException(
                "invalid_settings",
                $"POSTGRES_PORT: {settings.Port} is not a valid port",
                "use a number from 1 to 65535"
            );
        }
        var options = new NpgsqlConnectionStringBuilder
        {
            Host = settings.Host,
            Port = settings.Port,
            Database = settings.Db,
            Username = settings.User,
            Password = settings.Password.Value,
            SslMode = SslModeOf(settings.SslMode),
            // By default, every connection requests a ticket from the Kerberos library.
            GssEncryptionMode = GssEncryptionMode.Disable,
        };
        options.RootCertificate = settings.SslRootCert.Length > 0 ? settings.SslRootCert : null;
        if (settings.Url.IsSet)
        {
            ReadUrl(settings.Url.Value!, options);
        }
        options.ApplicationName = "agent-executor";
        // In addition to the connections of the committers, reads need some.
        options.MaxPoolSize = Math.Max(settings.MaxPoolSize, settings.Committers + 3);
        options.Timeout = (int)Math.Ceiling(settings.ConnectTimeoutSeconds);
        // The server's own timeout is shorter. This one is for a server that does not respond.
        options.CommandTimeout = (int)Math.Ceiling(settings.StatementTimeoutSeconds) + 5;
        options.CancellationTimeout = 2_000;
        options.KeepAlive = 15;
        // Large buffers, so that threads are read and batches are sent in few packets.
        (options.ReadBufferSize, options.WriteBufferSize) = (64 * 1024, 64 * 1024);
        return options;
    }

    private static string Milliseconds(TimeSpan time) => time.TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture);

    private static void ReadUrl(string url, NpgsqlConnectionStringBuilder options)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("postgres" or "postgresql") || uri.Host.Length == 0)
        {
            throw new FaultException(
                "invalid_settings",
                "DATABASE_URL is not a PostgreSQL URL",
                "use postgres://USER:PASSWORD@HOST:PORT/DB"
            );
        }
        options.Host = uri.Host;
        options.Port = uri.IsDefaultPort ? 5432 : uri.Port;
        var user = uri.UserInfo.Split(':', 2);
        if (user[0].Length > 0)
        {
            options.Username = Uri.UnescapeDataString(user[0]);
        }
        if (user.Length > 1)
        {
            options.Password = Uri.UnescapeDataString(user[1]);
        }
        if (uri.AbsolutePath.Length > 1)
        {
            options.Database = Uri.UnescapeDataString(uri.AbsolutePath[1..]);
        }
        foreach (var parameter in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = parameter.Split('=', 2) is [var key, var text] ? (key, Uri.UnescapeDataString(text)) : (parameter, "");
            switch (name)
            {
                case "sslmode":
                    options.SslMode = SslModeOf(value);
                    break;
                case "sslrootcert":
                    options.RootCertificate = value;
                    break;
            }
        }
    }

    public static string KnownSslModes => string.Join(", ", SslModes.Keys);

    public static bool IsSslMode(string name) => SslModes.ContainsKey(name);

    public static bool IsSchema(string name) => SchemaName().IsMatch(name);

    /// <summary>Returns the <c>sslmode</c> in a URL, or null.</summary>
    public static string? SslModeIn(Uri url) =>
        url
            .Query.TrimStart('?')
            .Split('&')
            .Where(parameter => parameter.StartsWith("sslmode=", StringComparison.Ordinal))
            .Select(parameter => Uri.UnescapeDataString(parameter["sslmode=".Length..]))
            .LastOrDefault();

    private static SslMode SslModeOf(string name) =>
        SslModes.TryGetValue(name, out var mode)
            ? mode
            : throw new FaultException("invalid_settings", $"'{name}' is not an sslmode", $"use one of {string.Join(", ", SslModes.Keys)}");

    private static void CheckSchema(string schema)
    {
        if (!SchemaName().IsMatch(schema))
        {
            throw new FaultException(
                "invalid_settings",
                $"POSTGRES_SCHEMA: '{schema}' is not a valid schema name",
                "use lower-case letters, digits and '_', starting with a letter"
            );
        }
    }

    [GeneratedRegex("^[a-z][a-z0-9_]{0,40}$")]
    private static partial Regex SchemaName();
}
