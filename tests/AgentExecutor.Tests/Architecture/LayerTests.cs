using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Tests.Architecture;

/// <summary>
/// Checks that each namespace uses only those of the layers below it, and that namespaces form no cycle. docs/architecture.md describes the
/// layers.
/// </summary>
public sealed class LayerTests
{
    private const string Root = "(root)";

    /// <summary>
    /// From the bottom to the top. The namespaces of one layer do not use each other. Each entry includes the namespaces inside it.
    /// </summary>
    private static readonly string[][] CoreLayers =
    [
        [Root],
        ["Json"],
        ["Schemas", "Messages", "Files"],
        ["Channels", "Definitions", "ModelProviders", "Skills"],
        ["Expressions", "Budgets", "ModelLimits"],
        ["Runs"],
        ["Checkpoints", "Messaging"],
        ["Events", "Queues"],
        ["Sessions"],
        ["Graphs", "InMemory"],
        ["Execution", "Tools", "ModelCalls"],
        ["Recording", "Agents"],
        ["Steps"],
        ["Compilation"],
        ["Threads"],
        ["Streaming", "Jobs"],
        ["Workers"],
    ];

    /// <summary>As <see cref="CoreLayers"/>.</summary>
    private static readonly string[][] ServerLayers =
    [
        ["Locks", "Logging", "View"],
        ["Settings"],
        ["Metrics", "Hosting"],
        ["Api", "Roles"],
        ["Composition"],
        ["Commands"],
    ];

    [Fact]
    public void Each_layer_of_Core_uses_only_layers_below_it() => Assert.Empty(UpwardUses(typeof(FaultException), CoreLayers));

    [Fact]
    public void Each_layer_of_Server_uses_only_layers_below_it() => Assert.Empty(UpwardUses(typeof(ServerSettings), ServerLayers));

    [Theory]
    [InlineData("AgentExecutor.Core")]
    [InlineData("AgentExecutor.Server")]
    public void Every_namespace_belongs_to_a_layer(string project) =>
        Assert.Equal(
            Directory
                .GetFiles(Path.Combine(Repository.Root, "src", project), "*.cs", SearchOption.AllDirectories)
                .Select(file => NameOf(NamespaceIn(file), project))
                .OfType<string>()
                .Distinct()
                .Order(StringComparer.Ordinal),
            (project == "AgentExecutor.Core" ? CoreLayers : ServerLayers).SelectMany(layer => layer).Order(StringComparer.Ordinal)
        );

    /// <summary>A namespace and the namespaces inside it count as different namespaces here.</summary>
    [Theory]
    [InlineData(typeof(AdapterCatalog))]
    [InlineData(typeof(ServerSettings))]
    public void Namespaces_do_not_depend_on_each_other_in_a_cycle(Type member)
    {
        var open = UsesOf(member).Where(use => use.FromNamespace != use.ToNamespace).ToList();
        while (
            open.RemoveAll(use =>
                !open.Exists(next => next.FromNamespace == use.ToNamespace)
                || !open.Exists(before => before.ToNamespace == use.FromNamespace)
            ) > 0
        ) { }

        Assert.Empty(open);
    }

    private static IEnumerable<TypeUse> UpwardUses(Type member, string[][] layers)
    {
        var project = ProjectOf(member);
        var rank = layers.SelectMany((layer, rank) => layer.Select(name => (name, rank))).ToDictionary(it => it.name, it => it.rank);
        return UsesOf(member)
            .Select(use => (From: NameOf(use.FromNamespace, project)!, To: NameOf(use.ToNamespace, project)!, Types: use))
            .Where(use => use.From != use.To && rank[use.To] >= rank[use.From])
            .Select(use => use.Types);
    }

    private static IEnumerable<TypeUse> UsesOf(Type member) =>
        TypeUses
            .Read(member.Assembly.Location)
            .Where(use =>
                NameOf(use.FromNamespace, ProjectOf(member)) is not null && NameOf(use.ToNamespace, ProjectOf(member)) is not null
            );

    /// <summary>The project of the type. Its assembly can have another name.</summary>
    private static string ProjectOf(Type member) => string.Join('.', member.Namespace!.Split('.').Take(2));

    private static string NamespaceIn(string file) =>
        File.ReadLines(file).FirstOrDefault(line => line.StartsWith("namespace ", StringComparison.Ordinal))?[10..].TrimEnd(';') ?? "";

    /// <summary>The first part of a namespace below the project; null for a namespace outside the project.</summary>
    private static string? NameOf(string ns, string project) =>
        ns == project ? Root
        : ns.StartsWith(project + ".", StringComparison.Ordinal) ? ns[(project.Length + 1)..].Split('.')[0]
        : null;
}
