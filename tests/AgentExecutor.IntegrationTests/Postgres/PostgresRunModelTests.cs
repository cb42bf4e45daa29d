using AgentExecutor.Adapters;
using AgentExecutor.Conformance.Queues;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Postgres;

public sealed class PostgresRunModelTests(PostgresFixture postgres) : RunModelContract
{
    private ThreadStore? _store;

    protected override int Sequences => 25;

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
