using AgentExecutor.Conformance.Queues;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Queues;

namespace AgentExecutor.Tests.InMemory;

public sealed class InMemoryRetentionTests : RetentionContract
{
    private InMemoryRunQueue? _queue;

    public override ValueTask DisposeAsync()
    {
        _queue?.Dispose();
        return base.DisposeAsync();
    }

    protected override ValueTask<(IRunQueue Queue, ICheckpointStore Checkpoints, IRunStore Runs, IRetentionStore Retention)> MakeAsync()
    {
        var store = new InMemoryCheckpointStore();
        _queue = new InMemoryRunQueue(store, TimeProvider.System);
        return ValueTask.FromResult<(IRunQueue, ICheckpointStore, IRunStore, IRetentionStore)>((_queue, store, store, store));
    }
}
