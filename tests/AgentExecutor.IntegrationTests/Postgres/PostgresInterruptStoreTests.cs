using AgentExecutor.Adapters;
using AgentExecutor.Conformance.Checkpoints;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Postgres;

public sealed class PostgresInterruptStoreTests(PostgresFixture postgres) : InterruptStoreContract
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

    protected override async ValueTask<(
        IRunQueue Queue,
        IOutbox Outbox,
        ICheckpointStore Checkpoints,
        IInterruptStore Interrupts
    )> MakeAsync()
    {
        _store = await PostgresFixture.OpenAsync(await postgres.SchemaAsync());
        return (_store.Queue!, _store.Outbox!, _store.Checkpoints, _store.Interrupts);
    }
}
