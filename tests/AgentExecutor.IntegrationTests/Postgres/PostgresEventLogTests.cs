using AgentExecutor.Adapters;
using AgentExecutor.Conformance.Events;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Postgres;

public sealed class PostgresEventLogTests(PostgresFixture postgres) : EventLogContract
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

    protected override async ValueTask<(IEventLog Log, ICheckpointStore Checkpoints, IRunStore Runs, IRunQueue Queue)> MakeAsync()
    {
        _store = await PostgresFixture.OpenAsync(await postgres.SchemaAsync());
        return (_store.Log, _store.Checkpoints, _store.Runs, _store.Queue!);
    }
}
