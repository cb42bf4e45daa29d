using AgentExecutor.Adapters;
using AgentExecutor.Conformance.Budgets;
using AgentExecutor.Core;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
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

    [Fact]
    public async Task A_worker_that_was_superseded_reserves_nothing()
    {
        var run = new Run
        {
            ThreadId = "t",
            RunId = "r",
            DefinitionHash = "h",
            Status = RunStatus.Completed,
            Fence = 3,
            Attempt = 2,
        };
        await Checkpoints.CommitAsync(
            new StepCommit
            {
                ThreadId = "t",
                Fence = 3,
                Acquires = true,
                Run = run,
            },
            Cancel
        );
        var key = new BudgetKey("demo", "total");
        var stale = new BudgetReservation("t", 1, "call", new Spending(10, 0.1m));

        var refused = await Assert.ThrowsAsync<FaultException>(async () =>
            await Ledger.ReserveAsync(key, stale, new BudgetLimit(1_000, 1), Cancel)
        );

        Assert.Equal(FaultCodes.LeaseLost, refused.Code);
        Assert.Equal(new BudgetBalance(default, default), await Ledger.FindAsync(key, Cancel));
    }

    protected override async ValueTask<(IBudgetLedger Ledger, ICheckpointStore Checkpoints)> MakeAsync()
    {
        _store = await PostgresFixture.OpenAsync(await postgres.SchemaAsync());
        return (_store.Budgets, _store.Checkpoints);
    }
}
