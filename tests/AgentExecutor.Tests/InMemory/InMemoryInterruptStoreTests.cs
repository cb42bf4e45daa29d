using AgentExecutor.Conformance.Checkpoints;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Queues;

namespace AgentExecutor.Tests.InMemory;

public sealed class InMemoryInterruptStoreTests : InterruptStoreContract
{
    private InMemoryRunQueue? _queue;

    public override ValueTask DisposeAsync()
    {
        _queue?.Dispose();
        return base.DisposeAsync();
    }

    protected override ValueTask<(IRunQueue Queue, IOutbox Outbox, ICheckpointStore Checkpoints, IInterruptStore Interrupts)> MakeAsync()
    {
        var store = new InMemoryCheckpointStore();
        _queue = new InMemoryRunQueue(store, TimeProvider.System);
        return ValueTask.FromResult<(IRunQueue, IOutbox, ICheckpointStore, IInterruptStore)>(
            (_queue, new InMemoryOutbox(store), store, store)
        );
    }
}
