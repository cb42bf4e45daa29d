using AgentExecutor.Core;
using AgentExecutor.Core.Budgets;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Stores shared budgets as rows. A reservation locks the row of its budget first, so that of two concurrent callers the second sees what
/// the first has reserved. Commits that settle a budget lock it as well (<see cref="SettlementRows"/>).
/// </summary>
internal sealed class PostgresBudgetLedger(PostgresAccess access) : IBudgetLedger, IAsyncDisposable
{
    private const string Balance = """
        SELECT b.tokens, b.cost,
            coalesce(r.tokens, 0)::bigint AS reserved_tokens, coalesce(r.cost, 0)::bigint AS reserved_cost
        FROM $schema.budgets AS b
        LEFT JOIN LATERAL (
            SELECT sum(tokens) AS tokens, sum(cost) AS cost FROM $schema.budget_reservations
            WHERE name = b.name AND period = b.period) AS r ON true
        WHERE b.name = $1 AND b.period = $2
        """;

    /// <summary>
    /// Returns true if the thread has a newer attempt. A worker that was suspended and continues then reserves nothing, because its
    /// reservation would never be released. The row is locked until the reservation is stored, and before the budget's row, in the same
    /// order as commits do.
    /// </summary>
    private const string Superseded = "SELECT fence > $2 AS is_superseded FROM $schema.threads WHERE thread_id = $1 FOR SHARE";

    /// <summary>
    /// Stores the reservation if the budget allows it. The statement runs after the lock was acquired, so it sees the reservations of the
    /// previous lock holder.
    /// </summary>
    private const string Reserve = $"""
        WITH b AS ({Balance}),
        i AS (
            INSERT INTO $schema.budget_reservations (name, period, thread_id, call_id, fence, tokens, cost)
            SELECT $1, $2, $3, $4, $5, $6, $7
            FROM b
            WHERE ($8::bigint IS NULL OR b.tokens + reserved_tokens + $6 <= $8)
                AND ($9::numeric IS NULL OR b.cost::numeric + reserved_cost + $7 <= $9)
                AND NOT EXISTS (SELECT FROM $schema.threads WHERE thread_id = $3 AND fence > $5)
            RETURNING 1)
        SELECT b.*, EXISTS (SELECT 1 FROM i) AS is_granted FROM b
        """;

    public async ValueTask<BudgetBalance> ReserveAsync(
        BudgetKey key,
        BudgetReservation reservation,
        BudgetLimit limit,
        CancellationToken cancellationToken
    ) => await access.RunAsync((connection, cancel) => ReserveAsync(connection, key, reservation, limit, cancel), cancellationToken);

    public async ValueTask<BudgetBalance> FindAsync(BudgetKey key, CancellationToken cancellationToken) =>
        await access.RunAsync(
            async (connection, cancel) =>
            {
                await using var command = connection.With(Balance, key.Name, key.Period);
                await using var row = await command.ExecuteReaderAsync(cancel);
                return await row.ReadAsync(cancel) ? Read(row) : new BudgetBalance(default, default);
            },
            cancellationToken
        );

    public ValueTask DisposeAsync() => access.DisposeAsync();

    /// <summary>Uses one round trip and one transaction, so that the row of the budget is locked only briefly.</summary>
    private static async Task<BudgetBalance> ReserveAsync(
        PostgresConnection connection,
        BudgetKey key,
        BudgetReservation reservation,
        BudgetLimit limit,
        CancellationToken cancellationToken
    )
    {
        var (name, period, amount) = (key.Name, key.Period, reservation.Amount);
        await using var batch = connection.Batch(
            PostgresCommands.BatchCommand(Superseded, reservation.ThreadId, reservation.Fence),
            PostgresCommands.BatchCommand(
                "INSERT INTO $schema.budgets (name, period) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                name,
                period
            ),
            PostgresCommands.BatchCommand(
                "DELETE FROM $schema.budget_reservations WHERE thread_id = $1 AND (fence < $2 OR fence = $2 AND call_id = $3)",
                reservation.ThreadId,
                reservation.Fence,
                reservation.CallId
            ),
            PostgresCommands.BatchCommand("SELECT 1 FROM $schema.budgets WHERE name = $1 AND period = $2 FOR NO KEY UPDATE", name, period),
            PostgresCommands.BatchCommand(
                Reserve,
                name,
                period,
                reservation.ThreadId,
                reservation.CallId,
                reservation.Fence,
                amount.Tokens,
                amount.CostUnits,
                limit.Tokens,
                limit.Cost * Spending.UnitsPerDollar
            )
        );
        await using var row = await batch.ExecuteReaderAsync(cancellationToken);
        if (await row.ReadAsync(cancellationToken) && row.Flag("is_superseded"))
        {
            throw new FaultException(
                FaultCodes.LeaseLost,
                $"another worker has taken over the thread '{reservation.ThreadId}'",
                "nothing was reserved; the other worker continues the run"
            );
        }
        await row.NextResultAsync(cancellationToken);
        // Skips the result of the lock.
        await row.NextResultAsync(cancellationToken);
        await row.ReadAsync(cancellationToken);
        var isGranted = row.Flag("is_granted");
        return Read(row) with { Reserved = Reserved(row) + (isGranted ? amount : default), IsGranted = isGranted };
    }

    private static BudgetBalance Read(NpgsqlDataReader row) =>
        new(Spending.OfUnits(row.Number("tokens"), row.Number("cost")), Reserved(row));

    private static Spending Reserved(NpgsqlDataReader row) => Spending.OfUnits(row.Number("reserved_tokens"), row.Number("reserved_cost"));
}
