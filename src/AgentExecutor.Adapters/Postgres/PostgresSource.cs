using AgentExecutor.Core;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Opens connections of one pool, and detects whether they lead to the server itself or to a connection pooler. A pooler refuses or ignores
/// the start-up parameters, or reports another process id than the server's. If nothing shows at first, prepared statements go missing
/// later.
/// </summary>
internal sealed class PostgresSource : IAsyncDisposable
{
    private readonly PostgresSettings _settings;
    private readonly string _localSettings;
    private readonly Pooler _pooler;
    private readonly ILogger _logger;
    private readonly Lazy<NpgsqlDataSource> _direct;
    private readonly Lazy<NpgsqlDataSource> _pooled;

    /// <param name="settings">The server.</param>
    /// <param name="logger">Logs that a pooler was detected.</param>
    /// <param name="hasBitmaps">
    /// False for statements that read pages of long ranges: a bitmap scan would collect and sort all rows although only the first few are
    /// needed.
    /// </param>
    /// <exception cref="FaultException">A setting is invalid.</exception>
    public PostgresSource(PostgresSettings settings, ILogger logger, bool hasBitmaps = true)
    {
        var serverSettings = PostgresConnections.ServerSettings(settings, hasBitmaps);
        var options = PostgresConnections.Options(settings);
        _settings = settings;
        _localSettings = PostgresConnections.ForTransaction(serverSettings);
        _pooler = Pooler.At(settings);
        _logger = logger;
        _direct = new(() => PostgresConnections.Open(PostgresConnections.ForSession(options, serverSettings)));
        _pooled = new(() => PostgresConnections.Open(PostgresConnections.ForPooler(options)));
    }

    /// <summary>True once a pooler was detected.</summary>
    public bool IsPooled => _pooler.IsInUse;

    /// <summary>Returns true if both lead to the same schema of the same database.</summary>
    public bool IsSameSchema(PostgresSource other) => _pooler == other._pooler && _settings.Schema == other._settings.Schema;

    public async Task<PostgresConnection> OpenAsync(CancellationToken cancellationToken)
    {
        if (!_pooler.IsInUse)
        {
            try
            {
                var direct = await _direct.Value.OpenConnectionAsync(cancellationToken);
                if (await IsDirectAsync(direct, cancellationToken))
                {
                    return new PostgresConnection(direct, _settings.Schema, localSettings: null);
                }
            }
            catch (PostgresException exception) when (PostgresFaults.IsPooler(exception))
            {
                ReportPooler(PostgresFaults.Describe(exception));
            }
        }
        var pooled = await _pooled.Value.OpenConnectionAsync(cancellationToken);
        await RequireTransactionsAsync(pooled, cancellationToken);
        return new PostgresConnection(pooled, _settings.Schema, _localSettings);
    }

    /// <summary>Reports that a statement has revealed a pooler.</summary>
    public void ReportPooler(string reason)
    {
        _pooler.SetInUse(reason, _logger);
        if (_direct.IsValueCreated)
        {
            _direct.Value.Clear();
        }
    }

    /// <summary>Closes the idle connections.</summary>
    public void Clear() => (_pooler.IsInUse ? _pooled : _direct).Value.Clear();

    public async ValueTask DisposeAsync()
    {
        foreach (var source in (Lazy<NpgsqlDataSource>[])[_direct, _pooled])
        {
            if (source.IsValueCreated)
            {
                await source.Value.DisposeAsync();
            }
        }
    }

    /// <summary>Begins a transaction on the first connection of the process to the pooler, which refuses it in statement mode.</summary>
    private async Task RequireTransactionsAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (_pooler.HasTransactions)
        {
            return;
        }
        try
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            // The driver sends BEGIN together with the first statement.
            await using var command = new NpgsqlCommand("SELECT 1", connection, transaction);
            await command.ExecuteScalarAsync(cancellationToken);
            await transaction.CommitAsync(cancellationToken);
            _pooler.HasTransactions = true;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Checks the first connection of the process to the server. A connection to a pooler is closed.</summary>
    private async Task<bool> IsDirectAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (_pooler is { IsChecked: true, IsInUse: false })
        {
            return true;
        }
        try
        {
            if (await PoolerProbe.FindAsync(connection, cancellationToken) is not { } reason)
            {
                _pooler.IsChecked = true;
                return true;
            }
            ReportPooler(reason);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
        await connection.DisposeAsync();
        return false;
    }
}
