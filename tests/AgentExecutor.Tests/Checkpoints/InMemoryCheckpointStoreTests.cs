using AgentExecutor.Conformance.Checkpoints;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Tests.Checkpoints;

public sealed class InMemoryCheckpointStoreTests : CheckpointStoreContract
{
    protected override ValueTask<(ICheckpointStore Checkpoints, IRunStore Runs)> MakeAsync()
    {
        var store = new InMemoryCheckpointStore();
        return ValueTask.FromResult<(ICheckpointStore, IRunStore)>((store, store));
    }
}
