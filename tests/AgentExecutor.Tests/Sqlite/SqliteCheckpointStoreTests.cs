using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Conformance.Checkpoints;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;

namespace AgentExecutor.Tests.Sqlite;

public sealed class SqliteCheckpointStoreTests : CheckpointStoreContract
{
    private readonly TempDirectory _directory = new();
    private readonly List<SqliteCheckpointStore> _opened = [];

    [Fact]
    public void A_directory_that_cannot_be_created_is_reported()
    {
        File.WriteAllText(_directory.File("taken"), "");

        var fault = Assert.Throws<FaultException>(() =>
            new SqliteCheckpointStore(new SqliteSettings { Directory = _directory.File("taken") })
        );

        Assert.Equal(FaultCodes.StoreUnavailable, fault.Code);
        Assert.Contains("taken", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_of_a_newer_version_is_rejected()
    {
        await DisposeAllAsync();
        using (
            var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={_directory.File("agent-executor.db")};Pooling=False")
        )
        {
            connection.Open();
            SqliteDatabase.Execute(connection, "PRAGMA user_version = 999");
        }

        var fault = Assert.Throws<FaultException>(() => Open());

        Assert.Contains("999", fault.Message, StringComparison.Ordinal);
    }

    public override async ValueTask DisposeAsync()
    {
        await DisposeAllAsync();
        _directory.Dispose();
        await base.DisposeAsync();
    }

    protected override ValueTask<(ICheckpointStore Checkpoints, IRunStore Runs)> MakeAsync() => ValueTask.FromResult(Open());

    protected override async ValueTask<(ICheckpointStore Checkpoints, IRunStore Runs)> ReopenAsync()
    {
        await DisposeAllAsync();
        return Open();
    }

    private (ICheckpointStore, IRunStore) Open()
    {
        var store = new SqliteCheckpointStore(new SqliteSettings { Directory = _directory.Path, SyncEveryCommit = false });
        _opened.Add(store);
        return (store, store);
    }

    private async Task DisposeAllAsync()
    {
        foreach (var store in _opened)
        {
            await store.DisposeAsync();
        }
        _opened.Clear();
    }
}
