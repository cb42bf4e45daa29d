using System.Text.Json;
using AgentExecutor.Adapters.Sqlite;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;
using Microsoft.Data.Sqlite;

namespace AgentExecutor.Tests.Golden;

/// <summary>
/// Threads that earlier versions stored must still resume. Each file is a database of such a version, with a thread that is interrupted
/// inside a sub-agent. A file is never changed; a new format gets a new file.
/// </summary>
public sealed class GoldenThreadTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    [Theory]
    [InlineData("thread-v1.sql")]
    public async Task A_stored_thread_resumes_inside_a_subagent(string file)
    {
        Restore(file);
        await using var store = new SqliteCheckpointStore(new SqliteSettings { Directory = _directory.Path });
        var executor = new RunExecutor(
            new RunServices(store, new InMemoryEventStream(), TimeProvider.System),
            store,
            new CompiledAgents(new DefinitionEnvironment(TestAgents.Models, new ToolCatalog([]), new RunLimits()))
        );

        var outcome = await executor.ResumeAsync(
            "golden",
            new Dictionary<string, JsonElement> { [""] = JsonBytes.Text("approve") },
            default
        );

        Assert.Equal("Wrote /draft.md (5 characters).; notes kept", outcome.Output);
        Assert.Equal(["/draft.md", "/notes.md"], outcome.State!.Get<FileTree>("files")!.Entries.Keys);
    }

    public void Dispose() => _directory.Dispose();

    private void Restore(string file)
    {
        using var connection = new SqliteConnection($"Data Source={_directory.File("agent-executor.db")};Pooling=False");
        connection.Open();
        SqliteDatabase.Execute(connection, File.ReadAllText(Path.Combine(Repository.Root, "tests", "AgentExecutor.Tests", "Golden", file)));
    }
}
