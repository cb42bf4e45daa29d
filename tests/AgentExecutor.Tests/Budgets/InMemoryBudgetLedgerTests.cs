using AgentExecutor.Conformance.Budgets;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.InMemory;

namespace AgentExecutor.Tests.Budgets;

public sealed class InMemoryBudgetLedgerTests : BudgetLedgerContract
{
    protected override ValueTask<(IBudgetLedger Ledger, ICheckpointStore Checkpoints)> MakeAsync()
    {
        var store = new InMemoryCheckpointStore();
        return ValueTask.FromResult<(IBudgetLedger, ICheckpointStore)>((store.Budgets, store));
    }
}
