using System.Text;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;
using FsCheck;
using FsCheck.Fluent;

namespace AgentExecutor.Tests.Compilation;

public sealed class DefinitionValidatorTests
{
    private const string Model = """{"provider": "scripted", "model": "m", "script": [{"text": "x"}]}""";

    private static readonly DefinitionEnvironment Environment = new(TestAgents.Models, new ToolCatalog([]), new RunLimits());

    [Theory]
    [InlineData("{", "not_json", "$")]
    [InlineData("[]", "wrong_type", "$")]
    [InlineData("{}", "no_nodes", "$.nodes")]
    [InlineData("""{"nodes": []}""", "no_nodes", "$.nodes")]
    [InlineData("""{"nodes": {}}""", "wrong_type", "$.nodes")]
    [InlineData("""{"nodes": [{"id": "a", "type": "orchestrator", "model": "scripted"}]}""", "wrong_value", "$.nodes[0].model")]
    [InlineData(
        """
            {"nodes": [{"id": "a", "type": "orchestrator",
             "config": {"model": {"provider": "scripted", "script": [{"text": "x"}], "reasoning_effort": "hgih"}}}]}
            """,
        "invalid_model",
        "$.nodes[0].config.model.reasoning_effort"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "orchestrator", "config": {"model": {"provider": "scripted", "temperature": "hot"}}}]}""",
        "wrong_type",
        "$.nodes[0].config.model.temperature"
    )]
    [InlineData("""{"nodes": [{"id": "a", "type": "wizard"}]}""", "unknown_node_type", "$.nodes[0].type")]
    [InlineData("""{"nodes": [{"id": "a b", "type": "agent", "model": MODEL}]}""", "invalid_name", "$.nodes[0].id")]
    [InlineData("""{"nodes": [{"id": "a", "type": "agent", "model": "gpt-6-luna"}]}""", "wrong_value", "$.nodes[0].model")]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": {"provider": "scripted", "api_key": "sk-1"}}]}""",
        "unknown_field",
        "$.nodes[0].model.api_key"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL}], "limits": {"max_tokns": 5}}""",
        "unknown_field",
        "$.limits.max_tokns"
    )]
    [InlineData("""{"nodes": [{"id": "START", "type": "agent", "model": MODEL}]}""", "invalid_name", "$.nodes[0].id")]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL}, {"id": "a", "type": "agent", "model": MODEL}]}""",
        "duplicate_name",
        "$.nodes[1].id"
    )]
    [InlineData("""{"nodes": [{"id": "a", "type": "agent"}]}""", "missing_model", "$.nodes[0].model")]
    [InlineData("""{"nodes": [{"id": "a", "type": "agent", "model": "merlin:x"}]}""", "unknown_provider", "$.nodes[0].model")]
    [InlineData("""{"nodes": [{"id": "a", "type": "agent", "model": "scripted:x"}]}""", "invalid_model", "$.nodes[0].model.script")]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "config": {"model": MODEL, "tools": ["grep", "grap"]}}]}""",
        "unknown_tool",
        "$.nodes[0].config.tools[1]"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL, "interrupt_on": {"nope": true}}]}""",
        "unknown_tool",
        "$.nodes[0].interrupt_on.nope"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL, "interrupt_on": {"ls": {"allowed": ["dance"]}}}]}""",
        "wrong_value",
        "$.nodes[0].interrupt_on.ls"
    )]
    [InlineData(
        """
            {"nodes": [{"id": "a", "type": "orchestrator", "model": MODEL},
             {"id": "b", "type": "orchestrator", "model": MODEL, "description": "x"}]}
            """,
        "several_orchestrators",
        "$.nodes[1].type"
    )]
    [InlineData("""{"nodes": [{"id": "a", "type": "tool", "tool": "ls"}]}""", "no_start", "$.nodes")]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL}], "limits": {"max_supersteps": 1000000}}""",
        "limit_above_server",
        "$.limits.max_supersteps"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL}], "limits": {"max_tokens": 0}}""",
        "invalid_limit",
        "$.limits.max_tokens"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL}], "state_schema": {"properties": {"x": {"reducer": "apend"}}}}""",
        "unknown_reducer",
        "$.state_schema.properties.x.reducer"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL}], "initial_state": {"__x": 1}}""",
        "invalid_name",
        "$.initial_state.__x"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL}], "initial_state": {"a\u0000b": 1}}""",
        "invalid_name",
        "$.initial_state"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "config": {"model": MODEL, "output": "a\u0000b"}}]}""",
        "invalid_name",
        "$.nodes[0].config.output"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "set", "config": {"assign": {"join:a": 1}}}], "edges": [{"from": "START", "to": "a"}]}""",
        "invalid_name",
        "$.nodes[0].config.assign.join:a"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL}], "tool_definitions": [{"name": "x"}]}""",
        "unknown_tool",
        "$.tool_definitions[0]"
    )]
    [InlineData(
        """
            {"nodes": [{"id": "a", "type": "agent", "model": MODEL}],
             "tool_definitions": [{"name": "grep", "runtime": {"url": "http://x"}}]}
            """,
        "duplicate_name",
        "$.tool_definitions[0].name"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL}], "tool_definitions": [{"name": "x", "runtime": {"type": "magic"}}]}""",
        "unknown_runtime",
        "$.tool_definitions[0].runtime.type"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL}], "tool_definitions": [{"name": "ls", "effects": "boom"}]}""",
        "wrong_value",
        "$.tool_definitions[0].effects"
    )]
    [InlineData(
        """
            {"nodes": [{"id": "a", "type": "agent", "config": {"model": {"provider": "scripted", "model": "m", "script": [{"text": "x"}],
             "fallbacks": ["merlin:x"]}}}]}
            """,
        "unknown_provider",
        "$.nodes[0].config.model.fallbacks[0]"
    )]
    [InlineData(
        """
            {"nodes": [{"id": "a", "type": "agent", "model": {"provider": "scripted", "model": "m", "script": [{"text": "x"}],
             "fallbacks": [MODEL, "scripted:x"]}}]}
            """,
        "invalid_model",
        "$.nodes[0].model.fallbacks[1].script"
    )]
    [InlineData(
        """
            {"nodes": [{"id": "a", "type": "agent", "model": {"provider": "scripted", "model": "m", "script": [{"text": "x"}],
             "fallbacks": ["scripted"]}}]}
            """,
        "wrong_value",
        "$.nodes[0].model.fallbacks[0]"
    )]
    [InlineData(
        """
            {"nodes": [{"id": "a", "type": "agent", "model": {"provider": "scripted", "model": "m", "script": [{"text": "x"}],
             "fallbacks": [{"model": "x"}]}}]}
            """,
        "missing_model",
        "$.nodes[0].model.fallbacks[0]"
    )]
    [InlineData(
        """
            {"nodes": [{"id": "a", "type": "agent", "model": {"provider": "scripted", "model": "m", "script": [{"text": "x"}],
             "fallbacks": [{"provider": "scripted", "script": [{"text": "x"}], "fallbacks": [MODEL]}]}}]}
            """,
        "invalid_model",
        "$.nodes[0].model.fallbacks[0].fallbacks"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL, "tool_choice": "lss"}]}""",
        "unknown_tool",
        "$.nodes[0].tool_choice"
    )]
    [InlineData("""{"nodes": [{"id": "a", "type": "agent", "model": MODEL, "tool_choice": 7}]}""", "wrong_type", "$.nodes[0].tool_choice")]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL, "response_format": "json"}]}""",
        "wrong_value",
        "$.nodes[0].response_format"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL, "response_format": {"type": "json_schema"}}]}""",
        "wrong_value",
        "$.nodes[0].response_format"
    )]
    [InlineData(
        """
            {"nodes": [{"id": "a", "type": "agent", "config": {"model": MODEL,
             "response_format": {"type": "json_schema", "schema": {"type": "objekt"}}}}]}
            """,
        "invalid_schema",
        "$.nodes[0].config.response_format.schema.type"
    )]
    [InlineData(
        """
            {"nodes": [{"id": "a", "type": "agent", "model": MODEL,
             "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"properties": {"a": {"items": 7}}}}}}]}
            """,
        "invalid_schema",
        "$.nodes[0].response_format.json_schema.schema.properties.a.items"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL, "response_format": {"properties": {"a": {"required": "b"}}}}]}""",
        "invalid_schema",
        "$.nodes[0].response_format.properties.a.required"
    )]
    public void A_fault_is_reported_with_its_code_and_path(string definition, string code, string path)
    {
        var faults = Validate(definition);

        Assert.Contains((code, path), faults.Select(it => (it.Code, it.Path)));
        Assert.All(faults, it => Assert.NotEmpty(it.Hint));
    }

    [Theory]
    [InlineData("START>a a>b", "unreachable_node", "$.nodes[2]")] // c
    [InlineData("START>a a>b b>c c>a", "cycle_without_exit", "$.nodes[0]")]
    [InlineData("START>a a>b b>c c>a?else", "cycle_without_exit", "$.nodes[0]")]
    [InlineData("START>a a>b b>c c>b c>END?true", "cycle_without_exit", "$.nodes[1]")]
    [InlineData("START>a a>b a>c?true b>d c>d", "missing_join", "$.nodes[3].config.join")]
    [InlineData("START>a a>b a>c b>d c>d?true d>END", "missing_join", "$.nodes[3].config.join")]
    [InlineData("START>START START>a a>b b>c", "unknown_node", "$.edges[0].to")]
    [InlineData("START>a a>nowhere", "unknown_node", "$.edges[1].to")]
    [InlineData("START>a elsewhere>a", "unknown_node", "$.edges[1].from")]
    [InlineData("START>a a>b?state..x", "invalid_expression", "$.edges[1].when")]
    [InlineData("START>a a>b?true", "missing_else", "$.edges")]
    public void A_workflow_with_an_invalid_structure_is_rejected(string edges, string code, string path)
    {
        var nodes = edges.Contains('d', StringComparison.Ordinal) ? "a b c d" : "a b c";

        Assert.Contains((code, path), Validate(Workflow(nodes, edges)).Select(it => (it.Code, it.Path)));
    }

    [Theory]
    [InlineData("a b c d", "START>a a>b a>c b>d c>d")] // a fork and a join
    [InlineData("a b c d", "START>a a>b?state.x a>c?else b>d c>d")] // alternatives with a common successor
    [InlineData("a b", "START>a a>b b>a?state.x b>END?else")] // a loop with an exit
    [InlineData("a", "START>a a>a?state.x a>END?else")]
    public void A_workflow_with_a_valid_structure_is_accepted(string nodes, string edges) => Assert.Empty(Validate(Workflow(nodes, edges)));

    [Fact]
    public void Parallel_writes_to_one_last_value_channel_are_reported()
    {
        var clash = """
            {"nodes": [{"id": "a", "type": "set", "assign": {"x": 1}}, {"id": "b", "type": "set", "assign": {"x": 2}},
             {"id": "w", "type": "set", "assign": {"y": 1}}],
             "edges": [{"from": "START", "to": "a"}, {"from": "START", "to": "b"}, {"from": "a", "to": "w", "for_each": "state.list"}]}
            """;

        Assert.Equal(["$.nodes[1]", "$.nodes[2]"], Validate(clash).Where(it => it.Code == "conflicting_writes").Select(it => it.Path));
    }

    [Fact]
    public void All_faults_are_reported_together()
    {
        var faults = Validate(
            """
            {"nodes": [{"id": "a", "type": "agent", "tools": ["x", "y"]}, {"id": "a", "type": "wizard"}], "limits": {"max_seconds": 1e9},
             "tool_definitions": [{"name": "?"}]}
            """
        );

        Assert.True(faults.Count >= 7, string.Join('\n', faults));
    }

    [Fact]
    public void A_structural_fault_does_not_hide_other_faults()
    {
        var faults = Validate(
            """
            {"nodes": [{"id": "a", "type": "agent", "model": MODEL, "tools": ["nope"]}, null,
             {"id": "a", "type": "agent", "model": MODEL, "description": 7}]}
            """
        );

        Assert.Equal(
            [
                ("wrong_type", "$.nodes[1]"),
                ("wrong_type", "$.nodes[2].description"),
                ("unknown_tool", "$.nodes[0].tools[0]"),
                ("duplicate_name", "$.nodes[2].id"),
            ],
            faults
                .Select(it => (it.Code, it.Path))
                .Where(it => it.Code != "missing_description")
                .OrderBy(it => it.Code != "wrong_type")
                .ThenByDescending(it => it.Code is "unknown_tool")
                .ThenBy(it => it.Path)
        );
    }

    [Fact]
    public void A_byte_order_mark_is_skipped_and_a_duplicate_property_is_a_fault()
    {
        byte[] marked = [0xEF, 0xBB, 0xBF, .. Bytes("""{"nodes": []}""")];
        Assert.NotNull(DefinitionReader.Read(marked).Definition);
        Assert.Equal("not_json", Assert.Single(Validate("""{"nodes": [], "nodes": []}""")).Code);
    }

    [Fact]
    public void Many_unknown_fields_do_not_hide_other_faults()
    {
        var layout = string.Join(',', Enumerable.Range(0, 80).Select(i => $"\"layout_{i}\": {i}"));

        Assert.Contains(
            Validate($"{{\"nodes\": [{{{layout}, \"id\": null, \"type\": \"agent\", \"model\": \"gpt\"}}]}}"),
            it => it is { Code: "wrong_value", Path: "$.nodes[0].model" }
        );
    }

    [Fact]
    public void A_wide_fork_is_checked_quickly()
    {
        var branches = string.Join(' ', Enumerable.Range(0, 150).Select(i => $"n{i}"));
        var edges = string.Join(' ', branches.Split(' ').Select(n => $"START>{n} {n}>end"));
        var watch = System.Diagnostics.Stopwatch.StartNew();

        Assert.Empty(Validate(Workflow(branches + " end", edges)));

        // Comparing each pair of edges with each other pair took minutes.
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"{watch.Elapsed}");
    }

    [Fact]
    public void Checking_a_schema_with_multiplying_alternatives_is_aborted()
    {
        var schema = Engine.Json("""{"const": 1, "anyOf": [{"$ref": "#"}, {"$ref": "#"}]}""");

        Assert.NotEmpty(Core.Schemas.JsonSchemaChecker.Check(Engine.Json("2"), schema));
    }

    [Fact]
    public void Limits_can_only_be_lowered()
    {
        var compiled = Compile("""{"nodes": [{"id": "a", "type": "agent", "model": MODEL}], "limits": {"max_supersteps": 5}}""");

        Assert.Equal((5, new RunLimits().MaxTokens), (compiled.Limits.MaxSupersteps, compiled.Limits.MaxTokens));
    }

    [Fact]
    public void The_committed_schema_is_generated_from_the_types() =>
        GeneratedFile.AssertCurrent("docs/agent-definition.schema.json", DefinitionSchema.ToText());

    [Fact]
    public void Any_JSON_is_accepted_or_rejected_without_a_crash()
    {
        string[] values = ["null", "7", "\"x\"", "[]", "{}", "[null]", "{\"x\": {}}", "true", "[{}]", "[[]]", "{\"id\": 1}"];
        string[] fields = ["nodes", "edges", "tool_definitions", "state_schema", "initial_state", "limits", "name"];
        Check.QuickThrowOnFailure(
            Prop.ForAll(
                ArbMap.Default.ArbFor<NonNegativeInt[]>(),
                picks =>
                {
                    var members = fields.Zip(picks).Select(it => $"\"{it.First}\": {values[it.Second.Get % values.Length]}");
                    Assert.NotNull(Validate($"{{{string.Join(',', members)}}}"));
                }
            )
        );
        Check.QuickThrowOnFailure(Prop.ForAll<byte[]>(bytes => Assert.NotNull(DefinitionReader.Read(bytes ?? []))));
    }

    private static IReadOnlyList<DefinitionFault> Validate(string definition) =>
        DefinitionValidator.Validate(DefinitionReader.Read(Bytes(definition)), Environment);

    private static CompiledAgent Compile(string definition) => new AgentCompiler(Environment).Compile(Bytes(definition));

    private static byte[] Bytes(string definition) => Encoding.UTF8.GetBytes(definition.Replace("MODEL", Model, StringComparison.Ordinal));

    private static string Workflow(string nodes, string edges)
    {
        var steps = nodes
            .Split(' ')
            .Select(id =>
                """{"id": "ID", "type": "set", "config": {"assign": {"ID_ran": true}}}""".Replace("ID", id, StringComparison.Ordinal)
            );
        return $"{{\"nodes\": [{string.Join(',', steps)}], \"edges\": [{string.Join(',', edges.Split(' ').Select(Edge))}]}}";
    }

    private static string Edge(string text)
    {
        var (ends, when) = text.Split('?') is [var left, var right] ? (left, right) : (text, null);
        var (from, to) = (ends.Split('>')[0], ends.Split('>')[1]);
        return when is null
            ? $$"""{"from": "{{from}}", "to": "{{to}}"}"""
            : $$"""{"from": "{{from}}", "to": "{{to}}", "when": "{{when}}"}""";
    }
}
