using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Conformance.Budgets;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Tests.Sqlite;

public sealed class SqliteBudgetLedgerTests : BudgetLedgerContract
{
    private readonly TempDirectory _directory = new();
    private ThreadStore? _store;

    public override async ValueTask DisposeAsync()
    {
        await _store!.DisposeAsync();
        _directory.Dispose();
        await base.DisposeAsync();
    }

    protected override ValueTask<(IBudgetLedger Ledger, ICheckpointStore Checkpoints)> MakeAsync()
    {
        _store = AdapterCatalog.OpenSqliteService(
            new SqliteSettings { Directory = _directory.Path, SyncEveryCommit = false },
            TimeProvider.System
        );
        return ValueTask.FromResult((_store.Budgets, _store.Checkpoints));
    }
}
