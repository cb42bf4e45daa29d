using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Conformance.Messaging;
using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Tests.Sqlite;

public sealed class SqliteEventBusTests : EventBusContract
{
    private readonly TempDirectory _directory = new();
    private ThreadStore? _store;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _store!.DisposeAsync();
        _directory.Dispose();
    }

    protected override ValueTask<IEventBus> MakeAsync()
    {
        _store = AdapterCatalog.OpenSqliteService(
            new SqliteSettings { Directory = _directory.Path, SyncEveryCommit = false },
            TimeProvider.System
        );
        return ValueTask.FromResult(AdapterCatalog.OpenSqliteBus(_store, Settings));
    }
}
