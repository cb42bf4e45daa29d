using System.Collections.Immutable;
using AgentExecutor.Core.Budgets;

namespace AgentExecutor.Adapters.Sqlite;

/// <summary>Stores shared budgets as rows. The single writer applies reservations and settlements one after the other.</summary>
internal sealed class SqliteBudgetLedger(SqliteAccess access) : IBudgetLedger
{
    public ValueTask<BudgetBalance> ReserveAsync(
        BudgetKey key,
        BudgetReservation reservation,
        BudgetLimit limit,
        CancellationToken cancellationToken
    ) => access.WriteAsync(database => Reserve(database, key, reservation, limit), cancellationToken);

    public ValueTask<BudgetBalance> FindAsync(BudgetKey key, CancellationToken cancellationToken) =>
        ValueTask.FromResult(access.Read(database => BalanceOf(database, key)));

    private static readonly SqliteStatement<ReservationRow> Insert = new(
        "INSERT INTO budget_reservations ($columns) VALUES ($values)",
        new("thread_id", it => it.Reservation.ThreadId),
        new("call_id", it => it.Reservation.CallId),
        new("fence", it => it.Reservation.Fence),
        new("name", it => it.Key.Name),
        new("period", it => it.Key.Period),
        new("tokens", it => it.Reservation.Amount.Tokens),
        new("cost", it => it.Reservation.Amount.CostUnits)
    );

    /// <summary>Settles model calls as a part of a commit.</summary>
    public static void Settle(SqliteStatements database, string threadId, ImmutableArray<BudgetSettlement> settlements, bool releasesOthers)
    {
        foreach (var settlement in settlements)
        {
            database.Run(
                """
                INSERT INTO budgets (name, period, tokens, cost)
                SELECT name, period, $3, $4 FROM budget_reservations WHERE thread_id = $1 AND call_id = $2
                ON CONFLICT (name, period) DO UPDATE SET tokens = tokens + excluded.tokens, cost = cost + excluded.cost
                """,
                threadId,
                settlement.CallId,
                settlement.Actual.Tokens,
                settlement.Actual.CostUnits
            );
            database.Run("DELETE FROM budget_reservations WHERE thread_id = $1 AND call_id = $2", threadId, settlement.CallId);
        }
        if (releasesOthers)
        {
            database.Run("DELETE FROM budget_reservations WHERE thread_id = $1", threadId);
        }
    }

    private static BudgetBalance Reserve(SqliteStatements database, BudgetKey key, BudgetReservation reservation, BudgetLimit limit)
    {
        database.Run(
            "DELETE FROM budget_reservations WHERE thread_id = $1 AND (fence < $2 OR call_id = $3)",
            reservation.ThreadId,
            reservation.Fence,
            reservation.CallId
        );
        var balance = BalanceOf(database, key);
        if (!limit.Covers(balance.Spent + balance.Reserved + reservation.Amount))
        {
            return balance;
        }
        database.Run(Insert, new ReservationRow(key, reservation));
        return balance with { Reserved = balance.Reserved + reservation.Amount, IsGranted = true };
    }

    private static BudgetBalance BalanceOf(SqliteStatements database, BudgetKey key) =>
        new(
            Sum(database, "SELECT tokens, cost FROM budgets WHERE name = $1 AND period = $2", key),
            Sum(
                database,
                """
                SELECT coalesce(sum(tokens), 0) AS tokens, coalesce(sum(cost), 0) AS cost
                FROM budget_reservations
                WHERE name = $1 AND period = $2
                """,
                key
            )
        );

    private static Spending Sum(SqliteStatements database, string sql, BudgetKey key)
    {
        using var row = database.Query(sql, key.Name, key.Period);
        return row.Read() ? Spending.OfUnits(row.Number("tokens"), row.Number("cost")) : default;
    }

    private readonly record struct ReservationRow(BudgetKey Key, BudgetReservation Reservation);
}
