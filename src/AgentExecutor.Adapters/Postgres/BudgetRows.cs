using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Settles model calls: the actual usage of each call is added to its budget, and its reservation is deleted. If the reservation no longer
/// exists, for example when a batch is sent again, nothing is added. Budgets are locked in a fixed order, so that two commits that settle
/// the same budgets cannot deadlock.
/// </summary>
internal sealed class SettlementRows()
    : RowSet<SettlementRow>(
        Sql,
        "",
        Text("thread_id", static it => it.ThreadId),
        Text("call_id", static it => it.Settlement.CallId),
        Number("tokens", static it => it.Settlement.Actual.Tokens),
        Number("cost", static it => it.Settlement.Actual.CostUnits)
    )
{
    private const string Sql = """
        WITH s AS (SELECT * FROM unnest($values) AS s ($columns)),
        locked AS MATERIALIZED (
            SELECT name, period
            FROM $schema.budgets AS b
            WHERE (b.name, b.period) IN (
                SELECT r.name, r.period FROM $schema.budget_reservations AS r JOIN s USING (thread_id, call_id))
            ORDER BY name, period FOR NO KEY UPDATE),
        gone AS (
            DELETE FROM $schema.budget_reservations AS r
            USING s JOIN locked ON true
            WHERE r.thread_id = s.thread_id AND r.call_id = s.call_id AND r.name = locked.name AND r.period = locked.period
            RETURNING r.name, r.period, s.tokens, s.cost),
        sums AS (
            SELECT name, period, sum(tokens)::bigint AS tokens, sum(cost)::bigint AS cost
            FROM gone
            GROUP BY name, period)
        UPDATE $schema.budgets AS b SET tokens = b.tokens + sums.tokens, cost = b.cost + sums.cost
        FROM sums
        WHERE b.name = sums.name AND b.period = sums.period
        """;

    public void Add(StepCommit commit)
    {
        foreach (var settlement in commit.Settlements)
        {
            Add(new SettlementRow(commit.ThreadId, settlement));
        }
    }
}

/// <summary>Deletes the reservations of threads whose runs have stopped.</summary>
internal sealed class ReleaseRows()
    : RowSet<string>(
        "DELETE FROM $schema.budget_reservations WHERE thread_id = ANY ($values)",
        "",
        Text("thread_id", static threadId => threadId)
    );

/// <summary>The actual usage of a model call.</summary>
internal readonly record struct SettlementRow(string ThreadId, BudgetSettlement Settlement);
