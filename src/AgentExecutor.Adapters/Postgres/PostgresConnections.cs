using System.Globalization;
using System.Text.RegularExpressions;
using AgentExecutor.Core;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Makes the connection pool from the settings.</summary>
internal static partial class PostgresConnections
{
    /// <summary>
    /// Our statements find rows by their keys: each is planned once, for the indexes, whatever the statistics of a young table say. A transaction that
    /// nobody goes on with is ended.
    /// </summary>
    private const string FixedOptions = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off -c idle_in_transaction_session_timeout=60000";

    /// <summary>For pages of long ranges: a bitmap gathers and sorts all that there is, where the first few rows were asked for.</summary>
    public const string NoBitmaps = " -c enable_bitmapscan=off";

    private static readonly Dictionary<string, SslMode> SslModes = new(StringComparer.OrdinalIgnoreCase)
    {
        ["disable"] = SslMode.Disable,
        ["allow"] = SslMode.Allow,
        ["prefer"] = SslMode.Prefer,
        ["require"] = SslMode.Require,
        ["verify-ca"] = SslMode.VerifyCA,
        ["verify-full"] = SslMode.VerifyFull,
    };

    /// <exception cref="FaultException">A setting does not fit.</exception>
    public static NpgsqlDataSource Open(PostgresSettings settings, string moreOptions = "")
    {
        var options = Options(settings);
        options.Options += moreOptions;
        var source = new NpgsqlDataSourceBuilder(options.ConnectionString);
        source.ConfigureTypeLoading(types => types.EnableTypeLoading(false)); // ours are the server's own: there is no need to ask for them with each pool
        return source.ConnectionStringBuilder.Host!.Contains(',', StringComparison.Ordinal)
            ? source.BuildMultiHost().WithTargetSession(TargetSessionAttributes.Primary)
            : source.Build();
    }

    public static NpgsqlConnectionStringBuilder Options(PostgresSettings settings)
    {
        CheckSchema(settings.Schema);
        if (settings.Port is < 1 or > 65535)
        {
            throw new FaultException("invalid_settings", $"POSTGRES_PORT: {settings.Port} is no port", "use 1 to 65535");
        }
        var options = new NpgsqlConnectionStringBuilder
        {
            Host = settings.Host,
            Port = settings.Port,
            Database = settings.Db,
            Username = settings.User,
            Password = settings.Password.Value,
            SslMode = SslModeOf(settings.SslMode),
        };
        options.RootCertificate = settings.SslRootCert.Length > 0 ? settings.SslRootCert : null;
        if (settings.Url.IsSet)
        {
            ReadUrl(settings.Url.Value!, options);
        }
        options.SearchPath = settings.Schema;
        options.ApplicationName = "agent-executor";
        options.MaxPoolSize = Math.Max(settings.MaxPoolSize, settings.Committers + 3); // some to read with, beside those that commit
        options.Timeout = (int)Math.Ceiling(settings.ConnectTimeoutSeconds);
        options.CommandTimeout = (int)Math.Ceiling(settings.StatementTimeoutSeconds) + 5; // the server gives up first; this is for one that does not answer
        options.CancellationTimeout = 2_000;
        options.KeepAlive = 15;
        (options.ReadBufferSize, options.WriteBufferSize) = (64 * 1024, 64 * 1024); // threads are read, and batches sent, in few pieces
        options.MaxAutoPrepare = 64;
        options.AutoPrepareMinUsages = 2;
        options.Options = string.Create(
            CultureInfo.InvariantCulture,
            $"-c statement_timeout={settings.StatementTimeoutSeconds * 1000:0} -c lock_timeout={settings.LockTimeoutSeconds * 1000:0} {FixedOptions}");
        return options;
    }

    private static void ReadUrl(string url, NpgsqlConnectionStringBuilder options)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("postgres" or "postgresql") || uri.Host.Length == 0)
        {
            throw new FaultException("invalid_settings", "DATABASE_URL is no PostgreSQL URL", "write postgres://USER:PASSWORD@HOST:PORT/DB");
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

    private static SslMode SslModeOf(string name) => SslModes.TryGetValue(name, out var mode) ? mode : throw new FaultException(
        "invalid_settings", $"'{name}' is no sslmode", $"use one of {string.Join(", ", SslModes.Keys)}");

    private static void CheckSchema(string schema)
    {
        if (!SchemaName().IsMatch(schema))
        {
            throw new FaultException("invalid_settings", $"POSTGRES_SCHEMA: '{schema}' is no schema name", "use lower-case letters, digits and '_', beginning with a letter");
        }
    }

    [GeneratedRegex("^[a-z][a-z0-9_]{0,40}$")]
    private static partial Regex SchemaName();
}
