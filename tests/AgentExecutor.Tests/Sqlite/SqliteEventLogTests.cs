using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Conformance.Events;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Queues;

namespace AgentExecutor.Tests.Sqlite;

public sealed class SqliteEventLogTests : EventLogContract
{
    private readonly TempDirectory _directory = new();
    private ThreadStore? _store;

    public override async ValueTask DisposeAsync()
    {
        await _store!.DisposeAsync();
        _directory.Dispose();
        await base.DisposeAsync();
    }

    protected override ValueTask<(IEventLog Log, ICheckpointStore Checkpoints, IRunStore Runs, IRunQueue Queue)> MakeAsync()
    {
        _store = AdapterCatalog.OpenSqliteService(
            new SqliteSettings { Directory = _directory.Path, SyncEveryCommit = false },
            TimeProvider.System
        );
        return ValueTask.FromResult((_store.Log, _store.Checkpoints, _store.Runs, _store.Queue!));
    }
}
