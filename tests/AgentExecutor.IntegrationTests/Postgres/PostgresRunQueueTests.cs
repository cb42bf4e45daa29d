using AgentExecutor.Adapters;
using AgentExecutor.Conformance.Queues;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Postgres;

public sealed class PostgresRunQueueTests(PostgresFixture postgres) : RunQueueContract
{
    private ThreadStore? _store;
    private DeletionBlocker? _blocker;

    public override async ValueTask DisposeAsync()
    {
        if (_store is not null)
        {
            await _store.DisposeAsync();
        }
        await base.DisposeAsync();
    }

    protected override async Task<bool> InterruptDeletionAsync(string threadId)
    {
        await _blocker!.InterruptAsync(cancel => Checkpoints.DeleteThreadAsync(threadId, cancel), threadId);
        return true;
    }

    protected override Task ExpireLeasesAsync() => _blocker!.ExpireLeasesAsync();

    protected override async ValueTask<(IRunQueue Queue, IOutbox Outbox, ICheckpointStore Checkpoints, IRunStore Runs)> MakeAsync()
    {
        var settings = await postgres.SchemaAsync();
        _blocker = new DeletionBlocker(await postgres.ServerAsync(), settings.Schema);
        _store = await PostgresFixture.OpenAsync(settings);
        return (_store.Queue!, _store.Outbox!, _store.Checkpoints, _store.Runs);
    }
}
