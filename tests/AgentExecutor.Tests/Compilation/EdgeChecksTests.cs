using System.Text;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Compilation;

/// <summary>No edge of a definition is ignored silently: each edge has a meaning, or is a fault with its path.</summary>
public sealed class EdgeChecksTests
{
    private const string Agents = """
        {"id": "desk", "type": "orchestrator", "model": MODEL},
        {"id": "hotel", "type": "specialist", "description": "d", "name": "Hotel Agent"},
        {"id": "route", "type": "specialist", "description": "d"}
        """;

    private const string Steps = """
        {"id": "a", "type": "set", "assign": {"x": 1}}, {"id": "b", "type": "agent", "model": MODEL},
         {"id": "c", "type": "agent", "model": MODEL}
        """;

    [Theory]
    [InlineData(
        """{"source": "desk", "target": "hotel", "type": "orchestrator"}, {"source": "desk", "target": "route", "type": "specialists"}"""
    )]
    [InlineData(
        """{"source": "desk", "target": "hotel", "type": "Orchestrator"}, {"source": "desk", "target": "route", "type": "SPECIALISTS"}"""
    )]
    [InlineData("""{"from": "desk", "to": "hotel"}, {"from": "desk", "to": "route"}""")]
    public void Edges_from_the_orchestrator_to_its_specialists_mean_delegation(string edges) => Assert.Empty(Validate(Agents, edges));

    [Fact]
    public void Delegation_makes_a_deep_agent_whose_specialists_can_be_called()
    {
        var compiled = new AgentCompiler(Environment()).Compile(
            Bytes(Agents, """{"source": "desk", "target": "hotel", "type": "orchestrator"}, {"from": "desk", "to": "route"}""")
        );

        Assert.True(compiled.NeedsMessage);
        Assert.Equal(["desk", "Hotel Agent", "route", "general-purpose"], compiled.Agents.Select(agent => agent.Name));
    }

    [Fact]
    public void Without_an_orchestrator_the_first_node_delegates_to_those_whose_type_is_missing() =>
        Assert.Empty(
            Validate("""{"id": "lead", "model": MODEL}, {"id": "helper", "description": "d"}""", """{"from": "lead", "to": "helper"}""")
        );

    [Theory]
    [InlineData("""{"from": "desk", "to": "hotle"}""", "unknown_node", "$.edges[0].to")]
    [InlineData("""{"source": "desk", "target": "hotle", "type": "orchestrator"}""", "unknown_node", "$.edges[0].target")]
    [InlineData("""{"source": "dsk", "target": "hotel"}""", "unknown_node", "$.edges[0].source")]
    [InlineData("""{"from": "hotel", "to": "route"}""", "meaningless_edge", "$.edges[0]")]
    [InlineData("""{"from": "desk", "to": "desk"}""", "meaningless_edge", "$.edges[0]")]
    [InlineData("""{"from": "desk", "to": "hotel", "when": "true"}""", "meaningless_edge", "$.edges[0].when")]
    [InlineData("""{"from": "desk", "to": "hotel", "for_each": "state.x"}""", "meaningless_edge", "$.edges[0].for_each")]
    [InlineData("""{"from": "desk", "to": "END"}""", "no_start", "$.edges")]
    [InlineData("""{"from": "desk", "to": "hotel"}, {"from": "desk", "to": "hotel"}""", "duplicate_edge", "$.edges[1]")]
    [InlineData("""{"from": "desk", "to": "hotel"}, {"source": "desk", "target": "hotel"}""", "duplicate_edge", "$.edges[1]")]
    [InlineData("""{"source": "desk", "target": "hotel", "type": "orchestratr"}""", "wrong_value", "$.edges[0].type")]
    [InlineData("""{"from": "desk", "source": "hotel", "to": "route"}""", "wrong_value", "$.edges[0].source")]
    [InlineData("""{"from": "desk", "to": "hotel", "target": "route"}""", "wrong_value", "$.edges[0].target")]
    [InlineData("""{"from": "desk"}""", "missing_field", "$.edges[0].to")]
    [InlineData("""{"target": "hotel"}""", "missing_field", "$.edges[0].from")]
    public void An_edge_without_a_meaning_in_a_deep_agent_is_a_fault(string edges, string code, string path) =>
        AssertFault(Validate(Agents, edges), code, path);

    [Theory]
    [InlineData("""{"from": "a", "to": "b"}, {"from": "b", "to": "END"}""", "no_start", "$.edges")]
    [InlineData("""{"from": "b", "to": "c"}""", "no_start", "$.edges")]
    [InlineData("""{"from": "start", "to": "a"}, {"from": "a", "to": "b"}""", "no_start", "$.edges")]
    [InlineData("""{"from": "start", "to": "a"}, {"from": "a", "to": "b"}""", "unknown_node", "$.edges[0].from")]
    [InlineData("""{"from": "a", "to": "nowhere"}""", "unknown_node", "$.edges[0].to")]
    [InlineData(
        """{"from": "START", "to": "a"}, {"from": "a", "to": "b"}, {"from": "b", "to": "c"}, {"from": "a", "to": "b"}""",
        "duplicate_edge",
        "$.edges[3]"
    )]
    [InlineData(
        """{"from": "START", "to": "a"}, {"from": "a", "to": "b"}, {"from": "b", "to": "c", "type": "specialists"}""",
        "wrong_value",
        "$.edges[2].type"
    )]
    [InlineData(
        """{"from": "START", "to": "a"}, {"from": "a", "to": "b"}, {"from": "b", "to": "c"}, {"from": "END", "to": "c"}""",
        "unknown_node",
        "$.edges[3].from"
    )]
    public void A_workflow_whose_edges_would_be_ignored_is_a_fault(string edges, string code, string path) =>
        AssertFault(Validate(Steps, edges), code, path);

    [Fact]
    public void Nodes_that_a_deep_agent_never_runs_are_faults() =>
        AssertFault(
            Validate("""{"id": "b", "type": "agent", "model": MODEL}, {"id": "a", "type": "set", "assign": {"x": 1}}""", ""),
            "unreachable_node",
            "$.nodes[1]"
        );

    [Fact]
    public void A_specialist_without_an_edge_is_a_warning_if_others_have_one()
    {
        var fault = Assert.Single(Validate(Agents, """{"from": "desk", "to": "hotel"}"""));

        Assert.Equal(("unreachable_node", "$.nodes[2]", true), (fault.Code, fault.Path, fault.IsWarning));
    }

    [Fact]
    public void An_edge_back_to_the_orchestrator_is_a_warning()
    {
        var fault = Assert.Single(
            Validate(Agents, """{"from": "desk", "to": "hotel"}, {"from": "desk", "to": "route"}, {"from": "hotel", "to": "desk"}""")
        );

        Assert.Equal(("meaningless_edge", "$.edges[2]", true), (fault.Code, fault.Path, fault.IsWarning));
    }

    [Fact]
    public void The_edges_of_a_sub_graph_are_checked_in_the_same_way() =>
        AssertFault(
            Validate(
                """
                {"id": "g", "type": "graph", "nodes": [{"id": "x", "type": "set", "assign": {"x": 1}}],
                 "edges": [{"from": "x", "to": "y"}]}
                """,
                """{"from": "START", "to": "g"}"""
            ),
            ["no_start $.nodes[0].edges", "unknown_node $.nodes[0].edges[0].to"]
        );

    [Fact]
    public void All_faults_of_edges_are_reported_together() =>
        AssertFault(
            Validate(
                Agents,
                """
                {"from": "desk", "to": "x"}, {"source": "y", "target": "hotel"}, {"from": "hotel", "to": "route"},
                 {"from": "desk", "to": "hotel", "type": "z"}
                """
            ),
            ["unknown_node $.edges[0].to", "unknown_node $.edges[1].source", "meaningless_edge $.edges[2]", "wrong_value $.edges[3].type"]
        );

    private static void AssertFault(IReadOnlyList<DefinitionFault> faults, string code, string path) =>
        AssertFault(faults, [$"{code} {path}"]);

    private static void AssertFault(IReadOnlyList<DefinitionFault> faults, IEnumerable<string> expected)
    {
        var found = faults.Where(fault => !fault.IsWarning).Select(fault => $"{fault.Code} {fault.Path}").ToList();
        Assert.All(expected, fault => Assert.Contains(fault, found));
        Assert.All(faults, fault => Assert.NotEmpty(fault.Hint));
    }

    private static IReadOnlyList<DefinitionFault> Validate(string nodes, string edges) =>
        DefinitionValidator.Validate(DefinitionReader.Read(Bytes(nodes, edges)), Environment());

    private static DefinitionEnvironment Environment() => new(TestAgents.Models, new ToolCatalog([]), new RunLimits());

    private static byte[] Bytes(string nodes, string edges) =>
        Encoding.UTF8.GetBytes(
            $"{{\"nodes\": [{nodes}], \"edges\": [{edges}]}}".Replace(
                "MODEL",
                """{"provider": "scripted", "model": "m", "script": [{"text": "x"}]}""",
                StringComparison.Ordinal
            )
        );
}
