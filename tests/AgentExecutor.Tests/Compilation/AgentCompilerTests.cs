using System.Text;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;
using FsCheck.Fluent;

namespace AgentExecutor.Tests.Compilation;

public sealed class AgentCompilerTests
{
    private const string Model = """{"provider": "scripted", "model": "m", "script": [{"text": "x"}]}""";

    private static readonly DefinitionEnvironment Environment = new(TestAgents.Models, new ToolCatalog([]), new RunLimits());

    [Fact]
    public void Fields_next_to_the_type_have_the_same_meaning_as_in_config()
    {
        var beside = Compile(
            """{"nodes": [{"id": "a", "type": "orchestrator", "name": "n", "system_prompt": "p", "tools": ["ls"], "model": MODEL}]}"""
        );
        var inside = Compile(
            """
            {"nodes": [{"id": "a", "type": "orchestrator",
             "config": {"name": "n", "system_prompt": "p", "tools": ["ls"], "model": MODEL}}]}
            """
        );

        Assert.Equal(("n", "p"), (beside.Agents[0].Name, beside.Agents[0].SystemPrompt));
        Assert.Equal(("n", "p"), (inside.Agents[0].Name, inside.Agents[0].SystemPrompt));
    }

    [Fact]
    public void A_specialist_uses_the_orchestrators_model_by_default_and_a_general_purpose_agent_exists()
    {
        var compiled = Compile(
            """{"nodes": [{"id": "a", "type": "orchestrator", "model": MODEL}, {"id": "b", "type": "specialist", "description": "d"}]}"""
        );

        Assert.Equal(["a", "b", "general-purpose"], compiled.Agents.Select(it => it.Name));
        Assert.All(compiled.Agents, it => Assert.Equal("scripted:m", it.Model.ToString()));
    }

    [Fact]
    public void The_model_override_and_the_default_model_are_applied()
    {
        var bare = Bytes("""{"nodes": [{"id": "a", "type": "agent"}]}""");
        var script = new ModelSpec
        {
            Provider = "scripted",
            Model = "d",
            Script = Engine.Json("""[{"text": "x"}]"""),
        };

        Assert.Equal("scripted:d", new AgentCompiler(Environment with { DefaultModel = script }).Compile(bare).Agents[0].Model.ToString());
        Assert.Equal(
            "scripted:d",
            new AgentCompiler(Environment with { ModelOverride = script })
                .Compile(Bytes("""{"nodes": [{"id": "a", "type": "agent", "model": MODEL}]}"""))
                .Agents[0]
                .Model.ToString()
        );
    }

    [Fact]
    public void Fallbacks_are_strings_or_objects_and_inherit_temperature_and_max_tokens()
    {
        var compiled = new AgentCompiler(
            Environment with
            {
                Models = new ModelCatalog([new ModelCalls.TestProvider("x", ("a", []), ("b", []), ("c", []))]),
            }
        ).Compile(
            Bytes(
                """
                {"nodes": [{"id": "a", "type": "agent", "model": {"provider": "x", "model": "a", "temperature": 0.5, "max_tokens": 7,
                 "fallbacks": ["x:b", {"provider": "x", "model": "c", "max_tokens": 9}]}}]}
                """
            )
        );

        Assert.Equal(
            ["x:b 0.5 7", "x:c 0.5 9"],
            compiled.Agents[0].Model.Fallbacks.Select(it => FormattableString.Invariant($"{it} {it.Temperature} {it.MaxTokens}"))
        );
    }

    [Theory]
    [InlineData("""{"type": "json_schema", "schema": {"required": ["x"]}}""", "answer")]
    [InlineData("""{"type": "json_schema", "json_schema": {"name": "place", "strict": true, "schema": {"required": ["x"]}}}""", "place")]
    [InlineData("""{"title": "place", "required": ["x"]}""", "place")]
    [InlineData("""{"required": ["x"], "properties": {"type": {"type": "string"}}}""", "answer")]
    public void A_response_format_has_several_forms(string format, string name)
    {
        var output = Compile(
            """{"nodes": [{"id": "a", "type": "orchestrator", "model": MODEL, "response_format": FORMAT}]}""".Replace(
                "FORMAT",
                format,
                StringComparison.Ordinal
            )
        )
            .Agents[0]
            .Output!;

        Assert.Equal((name, "lacks 'x'"), (output.Name, Assert.Single(output.Check("{}", out _)).Message));
    }

    private static CompiledAgent Compile(string definition) => new AgentCompiler(Environment).Compile(Bytes(definition));

    private static byte[] Bytes(string definition) => Encoding.UTF8.GetBytes(definition.Replace("MODEL", Model, StringComparison.Ordinal));
}
