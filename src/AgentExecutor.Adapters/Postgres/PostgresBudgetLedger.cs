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

    public async ValueTask<BudgetBalance> ReserveAsync(BudgetKey key, BudgetReservation reservation, BudgetLimit limit, CancellationToken cancellationToken) =>
        await access.RunAsync((connection, cancel) => ReserveAsync(connection, key, reservation, limit, cancel), cancellationToken);

    public async ValueTask<BudgetBalance> FindAsync(BudgetKey key, CancellationToken cancellationToken) => await access.RunAsync(
        async (connection, cancel) =>
        {
            await using var command = connection.With(Balance, key.Name, key.Period);
            return await ReadAsync(command, cancel);
        },
        cancellationToken);

    public ValueTask DisposeAsync() => access.DisposeAsync();

    private static async Task<BudgetBalance> ReserveAsync(
        NpgsqlConnection connection, BudgetKey key, BudgetReservation reservation, BudgetLimit limit, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.RunAsync("INSERT INTO budgets (name, period) VALUES ($1, $2) ON CONFLICT DO NOTHING", [key.Name, key.Period], cancellationToken);
        await connection.RunAsync("SELECT FROM budgets WHERE name = $1 AND period = $2 FOR UPDATE", [key.Name, key.Period], cancellationToken);
        await connection.RunAsync(
            "DELETE FROM budget_reservations WHERE thread_id = $1 AND (fence < $2 OR call_id = $3)",
            [reservation.ThreadId, reservation.Fence, reservation.CallId], cancellationToken);
        BudgetBalance balance;
        await using (var command = connection.With(Balance, key.Name, key.Period))
        {
            balance = await ReadAsync(command, cancellationToken);
        }
        if (limit.Covers(balance.Spent + balance.Reserved + reservation.Amount))
        {
            await connection.RunAsync(
                "INSERT INTO budget_reservations (thread_id, call_id, fence, name, period, tokens, cost) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                [reservation.ThreadId, reservation.CallId, reservation.Fence, key.Name, key.Period, reservation.Amount.Tokens, reservation.Amount.CostUnits], cancellationToken);
            balance = balance with { Reserved = balance.Reserved + reservation.Amount, IsGranted = true };
        }
        await transaction.CommitAsync(cancellationToken);
        return balance;
    }

    private static async Task<BudgetBalance> ReadAsync(NpgsqlCommand command, CancellationToken cancellationToken)
    {
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken)
            ? new BudgetBalance(Spending.OfUnits(row.GetInt64(0), row.GetInt64(1)), Spending.OfUnits(row.GetInt64(2), row.GetInt64(3)))
            : new BudgetBalance(default, default);
    }
}
