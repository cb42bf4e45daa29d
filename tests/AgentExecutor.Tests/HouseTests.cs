using AgentExecutor.Adapters;
using AgentExecutor.Conformance.Checkpoints;
using AgentExecutor.Conformance.Events;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Graphs.Definitions;

namespace AgentExecutor.Tests;

/// <summary>Rules of the house that a program can check.</summary>
public sealed class HouseTests
{
    [Fact]
    public void Core_references_no_client_library() => Assert.Empty(
        typeof(FaultException).Assembly.GetReferencedAssemblies().Select(it => it.Name!)
            .Where(name => !name.StartsWith("System", StringComparison.Ordinal) && name is not ("Microsoft.Extensions.AI.Abstractions" or "Microsoft.Extensions.Logging.Abstractions" or "netstandard" or "mscorlib")));

    [Fact]
    public void Adapters_show_only_the_catalog_and_settings() => Assert.Empty(
        typeof(AdapterCatalog).Assembly.GetExportedTypes().Select(it => it.Name)
            .Where(name => !name.EndsWith("Settings", StringComparison.Ordinal) && name is not ("AdapterCatalog" or "ThreadStore")));

    [Fact]
    public void Every_store_is_held_to_the_contract()
    {
        var stores = new[] { typeof(FaultException).Assembly, typeof(AdapterCatalog).Assembly }
            .SelectMany(assembly => assembly.GetTypes()).Where(type => type.IsClass && type.IsAssignableTo(typeof(ICheckpointStore))).Select(type => type.Name);
        var held = typeof(HouseTests).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(CheckpointStoreContract))).Select(type => type.Name);

        Assert.Empty(stores.Where(store => !held.Concat(HeldWithServers(nameof(CheckpointStoreContract))).Contains($"{store}Tests")));
    }

    [Fact]
    public void Every_event_log_is_held_to_the_contract()
    {
        var logs = new[] { typeof(FaultException).Assembly, typeof(AdapterCatalog).Assembly }
            .SelectMany(assembly => assembly.GetTypes()).Where(type => type.IsClass && type.IsAssignableTo(typeof(IEventLog)))
            .Select(type => type.Name.Replace("CheckpointStore", "EventLog", StringComparison.Ordinal)); // a store may be its own log
        var held = typeof(HouseTests).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(EventLogContract))).Select(type => type.Name);

        Assert.Empty(logs.Where(log => !held.Concat(HeldWithServers(nameof(EventLogContract))).Contains($"{log}Tests")));
    }

    [Theory]
    [InlineData(typeof(FaultCodes))]
    [InlineData(typeof(DefinitionCodes))]
    public void Codes_are_snake_case_and_unique(Type codes)
    {
        var values = codes.GetFields().Select(field => (string)field.GetValue(null)!).ToList();

        Assert.Equal(values.Distinct(), values);
        Assert.All(values, value => Assert.Matches("^[a-z]+(_[a-z]+)*$", value));
    }

    [Fact]
    public void No_file_of_the_source_is_a_god_file() => Assert.Empty(
        Directory.GetFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories).Where(file => File.ReadLines(file).Count() > 400));

    /// <summary>The classes of the integration tests that inherit a contract.</summary>
    private static IEnumerable<string> HeldWithServers(string contract) =>
        Directory.GetFiles(Path.Combine(Repository.Root, "tests", "AgentExecutor.IntegrationTests"), "*.cs", SearchOption.AllDirectories)
            .Where(file => File.ReadAllText(file).Contains($": {contract}", StringComparison.Ordinal)).Select(file => Path.GetFileNameWithoutExtension(file));
}
