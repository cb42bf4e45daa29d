using AgentExecutor.Adapters;
using AgentExecutor.Conformance.Budgets;
using AgentExecutor.Conformance.Checkpoints;
using AgentExecutor.Conformance.Events;
using AgentExecutor.Core;
using AgentExecutor.Core.Budgets;
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
            .Where(name => !name.EndsWith("Settings", StringComparison.Ordinal) && name is not ("AdapterCatalog" or "ThreadStore" or "ThreadReads")));

    [Theory]
    [InlineData(typeof(ICheckpointStore), typeof(CheckpointStoreContract))]
    [InlineData(typeof(IEventTransport), typeof(EventTransportContract))]
    [InlineData(typeof(IEventLog), typeof(EventLogContract))]
    [InlineData(typeof(IBudgetLedger), typeof(BudgetLedgerContract))]
    public void Every_implementation_is_held_to_the_contract(Type seam, Type contract)
    {
        var implementations = new[] { typeof(FaultException).Assembly, typeof(AdapterCatalog).Assembly }
            .SelectMany(assembly => assembly.GetTypes()).Where(type => type.IsClass && type.IsAssignableTo(seam))
            .Select(type => seam == typeof(IEventLog) ? type.Name.Replace("CheckpointStore", "EventLog", StringComparison.Ordinal) : type.Name); // a store may be its own log
        var held = typeof(HouseTests).Assembly.GetTypes().Where(type => type.IsSubclassOf(contract)).Select(type => type.Name);
        var heldWithServers = Directory.GetFiles(Path.Combine(Repository.Root, "tests", "AgentExecutor.IntegrationTests"), "*.cs", SearchOption.AllDirectories)
            .Where(file => File.ReadAllText(file).Contains($": {contract.Name}", StringComparison.Ordinal)).Select(Path.GetFileNameWithoutExtension);

        Assert.Empty(implementations.Where(implementation => !held.Concat(heldWithServers).Contains($"{implementation}Tests")));
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
}
