using System.Data;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// A connection for statements that write the name of the schema as <c>$schema</c>. Nothing depends on the session: behind a pooler, the
/// next transaction may run on another connection of the server, so each command applies its settings for its own transaction only.
/// </summary>
/// <param name="connection">The open connection, which is closed together with this object.</param>
/// <param name="schema">The schema's name.</param>
/// <param name="localSettings">
/// A statement that applies the settings to the current transaction, or null if the connection has them.
/// </param>
internal sealed class PostgresConnection(NpgsqlConnection connection, string schema, string? localSettings) : IAsyncDisposable
{
    private readonly string _qualifier = $"\"{schema}\".";

    public bool IsOpen => connection.State == ConnectionState.Open;

    /// <summary>True behind a pooler, where there are neither notifications nor prepared statements.</summary>
    public bool IsPooled => localSettings is not null;

    /// <summary>Creates one statement with numbered parameters.</summary>
    public PostgresCommand With(string sql, params ReadOnlySpan<object?> values) => Batch(PostgresCommands.BatchCommand(sql, values));

    /// <summary>Creates several statements for one round trip, and for one transaction if none is open.</summary>
    public PostgresCommand Batch(params IReadOnlyList<NpgsqlBatchCommand> commands)
    {
        var batch = new NpgsqlBatch(connection);
        if (localSettings is not null)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(localSettings));
        }
        foreach (var command in commands)
        {
            if (command.CommandText.Contains("$schema", StringComparison.Ordinal))
            {
                // Only once: a command that is used again keeps what was prepared for it.
                command.CommandText = Qualify(command.CommandText);
            }
            batch.BatchCommands.Add(command);
        }
        return new PostgresCommand(batch, localSettings is not null);
    }

    public async Task<int> RunAsync(string sql, object?[] values, CancellationToken cancellationToken)
    {
        await using var command = With(sql, values);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Runs statements without parameters, separated by semicolons, without a time limit.</summary>
    public async Task RunScriptAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Qualify(sql), connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public ValueTask<NpgsqlTransaction> BeginTransactionAsync(CancellationToken cancellationToken) =>
        connection.BeginTransactionAsync(cancellationToken);

    public ValueTask<NpgsqlTransaction> BeginTransactionAsync(IsolationLevel isolation, CancellationToken cancellationToken) =>
        connection.BeginTransactionAsync(isolation, cancellationToken);

    /// <summary>Returns at the next notification.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) => connection.WaitAsync(cancellationToken);

    public ValueTask DisposeAsync() => connection.DisposeAsync();

    private string Qualify(string sql) =>
        sql.Replace("$schema.", _qualifier, StringComparison.Ordinal).Replace("$schema", schema, StringComparison.Ordinal);
}
