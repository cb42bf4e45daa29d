using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Settles model calls: what each came to is added to its budget, and its reservation goes; where that is gone already, as in a batch that is sent again, nothing is
/// added. Budgets are locked in their order, so that two commits that settle the same ones do not wait for each other.
/// </summary>
internal sealed class SettlementRows : RowSet
{
    private const string Sql =
        """
        WITH s AS (SELECT * FROM unnest($1, $2, $3, $4) AS s (thread_id, call_id, tokens, cost)),
        locked AS MATERIALIZED (
            SELECT name, period FROM budgets AS b WHERE (b.name, b.period) IN (SELECT r.name, r.period FROM budget_reservations AS r JOIN s USING (thread_id, call_id))
            ORDER BY name, period FOR NO KEY UPDATE),
        gone AS (
            DELETE FROM budget_reservations AS r USING s JOIN locked ON true
            WHERE r.thread_id = s.thread_id AND r.call_id = s.call_id AND r.name = locked.name AND r.period = locked.period
            RETURNING r.name, r.period, s.tokens, s.cost),
        sums AS (SELECT name, period, sum(tokens)::bigint AS tokens, sum(cost)::bigint AS cost FROM gone GROUP BY name, period)
        UPDATE budgets AS b SET tokens = b.tokens + sums.tokens, cost = b.cost + sums.cost FROM sums WHERE b.name = sums.name AND b.period = sums.period
        """;

    private readonly List<string> _threadId;
    private readonly List<string> _callId;
    private readonly List<long> _tokens;
    private readonly List<long> _cost;

    public SettlementRows()
        : base(Sql) => (_threadId, _callId, _tokens, _cost) = (Text(), Text(), Number(), Number());

    public void Add(StepCommit commit)
    {
        foreach (var settlement in commit.Settlements)
        {
            _threadId.Add(commit.ThreadId);
            _callId.Add(settlement.CallId);
            _tokens.Add(settlement.Actual.Tokens);
            _cost.Add(settlement.Actual.CostUnits);
        }
    }
}

/// <summary>Releases what threads have reserved that run no more.</summary>
internal sealed class ReleaseRows : RowSet
{
    private readonly List<string> _threadId;

    public ReleaseRows()
        : base("DELETE FROM budget_reservations WHERE thread_id = ANY ($1)") => _threadId = Text();

    public void Add(string threadId) => _threadId.Add(threadId);
}
