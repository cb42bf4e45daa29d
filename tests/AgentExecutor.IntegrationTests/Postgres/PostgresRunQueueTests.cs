using AgentExecutor.Adapters;
using AgentExecutor.Conformance.Workers;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Postgres;

public sealed class PostgresRunQueueTests(PostgresFixture postgres) : RunQueueContract
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

    protected override async ValueTask<(IRunQueue Queue, IOutbox Outbox, ICheckpointStore Checkpoints, IRunStore Runs)> MakeAsync()
    {
        _store = await PostgresFixture.OpenAsync(await postgres.SchemaAsync());
        return (_store.Queue!, _store.Outbox!, _store.Checkpoints, _store.Runs);
    }
}
