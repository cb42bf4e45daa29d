using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Conformance.Queues;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;

namespace AgentExecutor.Tests.Sqlite;

public sealed class SqliteRetentionTests : RetentionContract
{
    private readonly TempDirectory _directory = new();
    private ThreadStore? _store;

    public override async ValueTask DisposeAsync()
    {
        await _store!.DisposeAsync();
        _directory.Dispose();
        await base.DisposeAsync();
    }

    protected override ValueTask<(IRunQueue Queue, ICheckpointStore Checkpoints, IRunStore Runs, IRetentionStore Retention)> MakeAsync()
    {
        _store = AdapterCatalog.OpenSqliteService(
            new SqliteSettings { Directory = _directory.Path, SyncEveryCommit = false },
            TimeProvider.System
        );
        return ValueTask.FromResult((_store.Queue!, _store.Checkpoints, _store.Runs, _store.Retention));
    }
}
