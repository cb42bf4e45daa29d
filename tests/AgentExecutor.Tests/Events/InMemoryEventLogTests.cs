using AgentExecutor.Conformance.Events;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Tests.Events;

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
