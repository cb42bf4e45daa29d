using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Conformance.Checkpoints;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Postgres;

public sealed class PostgresCheckpointStoreTests(PostgresFixture postgres) : CheckpointStoreContract
{
    private readonly List<ThreadStore> _opened = [];
    private PostgresSettings _settings = null!;

    public override async ValueTask DisposeAsync()
    {
        foreach (var store in _opened)
        {
            await store.DisposeAsync();
        }
        await base.DisposeAsync();
    }

    protected override async ValueTask<(ICheckpointStore Checkpoints, IRunStore Runs)> MakeAsync()
    {
        _settings = await postgres.SchemaAsync();
        return await ReopenAsync();
    }

    protected override async ValueTask<(ICheckpointStore Checkpoints, IRunStore Runs)> ReopenAsync()
    {
        var store = await PostgresFixture.OpenAsync(_settings);
        _opened.Add(store);
        return (store.Checkpoints, store.Runs);
    }
}
