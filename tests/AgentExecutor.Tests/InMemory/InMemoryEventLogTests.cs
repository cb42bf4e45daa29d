using AgentExecutor.Conformance.Events;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Queues;

namespace AgentExecutor.Tests.InMemory;

public sealed class InMemoryEventLogTests : EventLogContract
{
    private InMemoryRunQueue? _queue;

    public override ValueTask DisposeAsync()
    {
        _queue?.Dispose();
        return base.DisposeAsync();
    }

    protected override ValueTask<(IEventLog Log, ICheckpointStore Checkpoints, IRunStore Runs, IRunQueue Queue)> MakeAsync()
    {
        var store = new InMemoryCheckpointStore();
        _queue = new InMemoryRunQueue(store, TimeProvider.System);
        return ValueTask.FromResult<(IEventLog, ICheckpointStore, IRunStore, IRunQueue)>((store, store, store, _queue));
    }
}
