using AgentExecutor.Adapters;
using AgentExecutor.Conformance.Checkpoints;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Queues;

namespace AgentExecutor.Tests;

/// <summary>Checks the rules of the code base that a program can check.</summary>
public sealed class HouseTests
{
    [Fact]
    public void Core_references_no_client_library() =>
        Assert.Empty(
            typeof(FaultException)
                .Assembly.GetReferencedAssemblies()
                .Select(it => it.Name!)
                .Where(name =>
                    !name.StartsWith("System", StringComparison.Ordinal)
                    && name
                        is not (
                            "Microsoft.Extensions.AI.Abstractions"
                            or "Microsoft.Extensions.Logging.Abstractions"
                            or "YamlDotNet"
                            or "netstandard"
                            or "mscorlib"
                        )
                )
        );

    [Fact]
    public void Adapters_exposes_only_the_catalog_and_settings() =>
        Assert.Empty(
            typeof(AdapterCatalog)
                .Assembly.GetExportedTypes()
                .Select(it => it.Name)
                .Where(name =>
                    !name.EndsWith("Settings", StringComparison.Ordinal) && name is not ("AdapterCatalog" or "ThreadStore" or "ThreadReads")
                )
        );

    /// <summary>The seams that have a contract. A contract has the name of its seam.</summary>
    public static TheoryData<Type, Type> Contracts()
    {
        var seams = typeof(FaultException).Assembly.GetTypes().Where(type => type.IsInterface).ToList();
        var contracts = new TheoryData<Type, Type>();
        foreach (
            var contract in typeof(CheckpointStoreContract)
                .Assembly.GetTypes()
                .Where(type => type.Name.EndsWith("Contract", StringComparison.Ordinal))
        )
        {
            var name = $"I{contract.Name[..^"Contract".Length]}";
            if (seams.Find(seam => seam.Name == name || seam.Name == $"{name}Store") is { } seam)
            {
                contracts.Add(seam, contract);
            }
        }
        return contracts;
    }

    [Theory]
    [MemberData(nameof(Contracts))]
    public void Every_implementation_has_a_test_class_that_inherits_the_contract(Type seam, Type contract)
    {
        var implementations = new[] { typeof(FaultException).Assembly, typeof(AdapterCatalog).Assembly }
            .SelectMany(assembly => assembly.GetTypes())
            .Where(type => type.IsClass && type.IsAssignableTo(seam))
            // A checkpoint store may also implement the event log and the retention store.
            .Select(type => type.Name.Replace("CheckpointStore", OwnName(seam), StringComparison.Ordinal));
        var held = typeof(HouseTests).Assembly.GetTypes().Where(type => type.IsSubclassOf(contract)).Select(type => type.Name);
        var heldWithServers = Directory
            .GetFiles(Path.Combine(Repository.Root, "tests", "AgentExecutor.IntegrationTests"), "*.cs", SearchOption.AllDirectories)
            .Where(file => File.ReadAllText(file).Contains($": {contract.Name}", StringComparison.Ordinal))
            .Select(Path.GetFileNameWithoutExtension);

        Assert.Empty(implementations.Where(implementation => !held.Concat(heldWithServers).Contains($"{implementation}Tests")));
    }

    private static string OwnName(Type seam) =>
        seam == typeof(IEventLog) ? "EventLog"
        : seam == typeof(IRetentionStore) ? "Retention"
        : seam == typeof(IInterruptStore) ? "InterruptStore"
        : "CheckpointStore";

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
    public void No_source_file_has_more_than_400_lines() =>
        Assert.Empty(
            Directory
                .GetFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories)
                .Where(file => File.ReadLines(file).Count() > 400)
        );

    [Fact]
    public void No_line_is_longer_than_140_columns() =>
        Assert.Empty(
            ((string[])["src", "tests", "benchmarks"])
                .SelectMany(folder => Directory.GetFiles(Path.Combine(Repository.Root, folder), "*.cs", SearchOption.AllDirectories))
                .SelectMany(file => File.ReadLines(file).Index().Where(it => it.Item.Length > 140).Select(it => $"{file}:{it.Index + 1}"))
        );
}
