using AgentExecutor.Conformance.Checkpoints;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.InMemory;

namespace AgentExecutor.Tests.InMemory;

public sealed class InMemoryCheckpointStoreTests : CheckpointStoreContract
{
    protected override ValueTask<(ICheckpointStore Checkpoints, IRunStore Runs)> MakeAsync()
    {
        var store = new InMemoryCheckpointStore();
        return ValueTask.FromResult<(ICheckpointStore, IRunStore)>((store, store));
    }
}
