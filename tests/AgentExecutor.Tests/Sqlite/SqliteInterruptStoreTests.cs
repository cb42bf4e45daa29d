using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Conformance.Checkpoints;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;

namespace AgentExecutor.Tests.Sqlite;

public sealed class SqliteInterruptStoreTests : InterruptStoreContract
{
    private readonly TempDirectory _directory = new();
    private ThreadStore? _store;

    public override async ValueTask DisposeAsync()
    {
        await _store!.DisposeAsync();
        _directory.Dispose();
        await base.DisposeAsync();
    }

    protected override ValueTask<(IRunQueue Queue, IOutbox Outbox, ICheckpointStore Checkpoints, IInterruptStore Interrupts)> MakeAsync()
    {
        _store = AdapterCatalog.OpenSqliteService(
            new SqliteSettings { Directory = _directory.Path, SyncEveryCommit = false },
            TimeProvider.System
        );
        return ValueTask.FromResult((_store.Queue!, _store.Outbox!, _store.Checkpoints, _store.Interrupts));
    }
}
