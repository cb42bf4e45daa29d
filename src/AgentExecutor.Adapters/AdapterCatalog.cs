using AgentExecutor.Adapters.Http;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.ModelProviders.Scripted;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters;

/// <summary>What there is for each seam: to add an adapter is to add a line here.</summary>
public static class AdapterCatalog
{
    public static IReadOnlyList<IModelProvider> ModelProviders(TimeProvider time) => [new ScriptedProvider(time)];

    public static IReadOnlyList<IToolSource> ToolSources(HttpToolSettings http, TimeProvider time) => [new HttpToolSource(http, time)];

    /// <summary>True where the directory holds an embedded store.</summary>
    public static bool HasSqlite(string directory) => SqliteDatabase.Exists(directory);

    /// <summary>The embedded store, open.</summary>
    /// <exception cref="Core.FaultException">The database file cannot be opened.</exception>
    public static ThreadStore OpenSqlite(SqliteSettings settings)
    {
        var store = new SqliteCheckpointStore(settings);
        return new ThreadStore(store, store, store);
    }
}

/// <summary>A store, by its two faces, and what closes it.</summary>
public sealed record ThreadStore(ICheckpointStore Checkpoints, IRunStore Runs, IAsyncDisposable Owner) : IAsyncDisposable
{
    public ValueTask DisposeAsync() => Owner.DisposeAsync();
}
