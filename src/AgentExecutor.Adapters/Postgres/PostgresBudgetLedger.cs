using AgentExecutor.Core.Budgets;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Shared budgets as rows. Who reserves locks the budget's row first, so that of two who ask at once the second sees what the first has taken; commits that
/// settle lock it as well (<see cref="SettlementRows"/>).
/// </summary>
internal sealed class PostgresBudgetLedger(PostgresAccess access) : IBudgetLedger, IAsyncDisposable
{
    private const string Balance =
        """
        SELECT b.tokens, b.cost, coalesce(r.tokens, 0)::bigint, coalesce(r.cost, 0)::bigint
        FROM budgets AS b
        LEFT JOIN LATERAL (SELECT sum(tokens) AS tokens, sum(cost) AS cost FROM budget_reservations WHERE name = b.name AND period = b.period) AS r ON true
        WHERE b.name = $1 AND b.period = $2
        """;

    /// <summary>Puts the reservation in, where there is room; the statement after the lock sees what whoever had the lock has done.</summary>
    private const string Reserve =
        $"""
        WITH b (tokens, cost, reserved_tokens, reserved_cost) AS ({Balance}),
        i AS (
            INSERT INTO budget_reservations (name, period, thread_id, call_id, fence, tokens, cost)
            SELECT $1, $2, $3, $4, $5, $6, $7 FROM b
            WHERE ($8::bigint IS NULL OR b.tokens + reserved_tokens + $6 <= $8) AND ($9::numeric IS NULL OR b.cost::numeric + reserved_cost + $7 <= $9)
            RETURNING 1)
        SELECT b.*, EXISTS (SELECT 1 FROM i) FROM b
        """;

    public async ValueTask<BudgetBalance> ReserveAsync(BudgetKey key, BudgetReservation reservation, BudgetLimit limit, CancellationToken cancellationToken) =>
        await access.RunAsync((connection, cancel) => ReserveAsync(connection, key, reservation, limit, cancel), cancellationToken);

    public async ValueTask<BudgetBalance> FindAsync(BudgetKey key, CancellationToken cancellationToken) => await access.RunAsync(
        async (connection, cancel) =>
        {
            await using var command = connection.With(Balance, key.Name, key.Period);
            await using var row = await command.ExecuteReaderAsync(cancel);
            return await row.ReadAsync(cancel) ? Read(row) : new BudgetBalance(default, default);
        },
        cancellationToken);

    public ValueTask DisposeAsync() => access.DisposeAsync();

    /// <summary>One round trip, and one transaction: the budget's row is locked no longer than that.</summary>
    private static async Task<BudgetBalance> ReserveAsync(
        NpgsqlConnection connection, BudgetKey key, BudgetReservation reservation, BudgetLimit limit, CancellationToken cancellationToken)
    {
        var (name, period, amount) = (key.Name, key.Period, reservation.Amount);
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                PostgresCommands.BatchCommand("INSERT INTO budgets (name, period) VALUES ($1, $2) ON CONFLICT DO NOTHING", name, period),
                PostgresCommands.BatchCommand(
                    "DELETE FROM budget_reservations WHERE thread_id = $1 AND (fence < $2 OR call_id = $3)", reservation.ThreadId, reservation.Fence, reservation.CallId),
                PostgresCommands.BatchCommand("SELECT 1 FROM budgets WHERE name = $1 AND period = $2 FOR NO KEY UPDATE", name, period),
                PostgresCommands.BatchCommand(
                    Reserve, name, period, reservation.ThreadId, reservation.CallId, reservation.Fence, amount.Tokens, amount.CostUnits, limit.Tokens, limit.Cost * Spending.UnitsPerDollar),
            },
        };
        await using var row = await batch.ExecuteReaderAsync(cancellationToken);
        await row.NextResultAsync(cancellationToken); // beyond the lock
        await row.ReadAsync(cancellationToken);
        var isGranted = row.GetBoolean(4);
        return Read(row) with { Reserved = Reserved(row) + (isGranted ? amount : default), IsGranted = isGranted };
    }

    private static BudgetBalance Read(NpgsqlDataReader row) => new(Spending.OfUnits(row.GetInt64(0), row.GetInt64(1)), Reserved(row));

    private static Spending Reserved(NpgsqlDataReader row) => Spending.OfUnits(row.GetInt64(2), row.GetInt64(3));
}
