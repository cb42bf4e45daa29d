using AgentExecutor.Adapters;
using AgentExecutor.Conformance.Budgets;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Postgres;

public sealed class PostgresBudgetLedgerTests(PostgresFixture postgres) : BudgetLedgerContract
{
    private ThreadStore? _store;

    public override async ValueTask DisposeAsync()
    {
        if (_store is not null)
        {
            await _store.DisposeAsync();
        }
        await base.DisposeAsync();
    }

    protected override async ValueTask<(IBudgetLedger Ledger, ICheckpointStore Checkpoints)> MakeAsync()
    {
        _store = await PostgresFixture.OpenAsync(await postgres.SchemaAsync());
        return (_store.Budgets, _store.Checkpoints);
    }
}
