using AgentExecutor.Conformance.Workers;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Tests.Workers;

public sealed class InMemoryRunQueueTests : RunQueueContract
{
    private InMemoryRunQueue? _queue;

    public override ValueTask DisposeAsync()
    {
        _queue?.Dispose();
        return base.DisposeAsync();
    }

    protected override ValueTask<(IRunQueue Queue, IOutbox Outbox, ICheckpointStore Checkpoints, IRunStore Runs)> MakeAsync()
    {
        var store = new InMemoryCheckpointStore();
        _queue = new InMemoryRunQueue(store, TimeProvider.System);
        return ValueTask.FromResult<(IRunQueue, IOutbox, ICheckpointStore, IRunStore)>((_queue, new InMemoryOutbox(store, TimeProvider.System), store, store));
    }
}
