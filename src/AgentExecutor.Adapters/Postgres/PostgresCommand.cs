using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Statements that are sent together.</summary>
/// <param name="batch">The statements, which are disposed together with this object.</param>
/// <param name="hasSettings">True if the first statement only applies settings, so its result is skipped.</param>
internal sealed class PostgresCommand(NpgsqlBatch batch, bool hasSettings) : IAsyncDisposable
{
    /// <summary>Returns a reader for the rows of the first statement.</summary>
    public async Task<NpgsqlDataReader> ExecuteReaderAsync(CancellationToken cancellationToken)
    {
        var reader = await batch.ExecuteReaderAsync(cancellationToken);
        if (hasSettings)
        {
            try
            {
                await reader.NextResultAsync(cancellationToken);
            }
            catch
            {
                await reader.DisposeAsync();
                throw;
            }
        }
        return reader;
    }

    /// <summary>Returns the first column of the first row, or null if there is no row.</summary>
    public async Task<object?> ExecuteScalarAsync(CancellationToken cancellationToken)
    {
        await using var reader = await ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? reader.GetValue(0) : null;
    }

    /// <summary>Returns how many rows the statements inserted, updated and deleted.</summary>
    public Task<int> ExecuteNonQueryAsync(CancellationToken cancellationToken) => batch.ExecuteNonQueryAsync(cancellationToken);

    public ValueTask DisposeAsync() => batch.DisposeAsync();
}
