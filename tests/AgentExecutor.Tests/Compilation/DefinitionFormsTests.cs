using System.Text;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Compilation;

/// <summary>Forms of definitions: older ones, ones with comments for editors, and ones with unknown fields.</summary>
public sealed class DefinitionFormsTests
{
    [Theory]
    [InlineData("""{"version": "1", "nodes": [{"id": "a", "type": "Orchestrator", "model": MODEL}]}""")]
    [InlineData("""{"version": 1, "nodes": [{"id": "a", "type": "ORCHESTRATOR", "model": MODEL}]}""")]
    [InlineData("""{"version": 1.5, "nodes": [{"id": "a", "model": MODEL}, {"id": "b", "type": "Specialist", "description": "d"}]}""")]
    [InlineData(
        """
            {"nodes": [{"id": "a", "type": "orchestrator", "config": {"name": "Trip Desk", "model": MODEL}},
             {"id": "b", "config": {"name": "Hôtel & Cie (été)", "description": "d"}}]}
            """
    )]
    public void Older_forms_are_accepted(string definition) => Assert.Empty(Validate(definition));

    [Theory]
    [InlineData("  ")]
    [InlineData(" x")]
    [InlineData("x ")]
    [InlineData("a\\nb")]
    [InlineData("\\u0000")]
    public void A_name_that_cannot_appear_in_a_prompt_is_a_fault(string name) =>
        Assert.Contains(
            Validate(
                """
                {"nodes": [{"id": "a", "type": "orchestrator", "model": MODEL}, {"id": "b", "name": "NAME", "description": "d"}]}
                """.Replace("NAME", name, StringComparison.Ordinal)
            ),
            fault => fault is { Code: "invalid_name", Path: "$.nodes[1].name", IsWarning: false }
        );

    [Fact]
    public void A_schema_and_comments_are_accepted_at_every_level() =>
        Assert.Empty(
            Validate(
                """
                {
                  "$schema": "docs/agent-definition.schema.json", "$comment": "x",
                  "tool_definitions": [{"$comment": "x", "$schema": "x", "name": "ls", "runtime": {"$comment": "x"}}],
                  "nodes": [
                    {"$comment": "x", "id": "a", "type": "orchestrator", "config": {
                      "$comment": ["any", "value"], "$schema": "x",
                      "model": {"$comment": "x", "provider": "scripted", "model": "m", "script": [{"$comment": "x", "text": "x"}],
                       "fallbacks": [{"$comment": "x", "provider": "scripted", "script": [{"text": "x"}]}]},
                      "interrupt_on": {"$comment": "x", "ls": {"$comment": "x", "allowed": ["approve"]}},
                      "response_format": {"$comment": "x", "type": "json_schema",
                       "schema": {"$schema": "x", "$comment": "x", "type": "object"}},
                      "retry": {"$comment": "x"}, "limits": {"$comment": "x"}}},
                    {"$comment": "x", "id": "b", "type": "specialist", "description": "d"}
                  ],
                  "edges": [{"$comment": "x", "from": "a", "to": "b"}],
                  "initial_state": {"$comment": "x", "topic": "y"},
                  "state_schema": {"$comment": "x", "properties": {"$comment": "x", "topic": {"$comment": "x", "reducer": "last_value"}}},
                  "limits": {"$comment": "x", "max_tokens": 7},
                  "budget": {"$comment": "x", "run": {"$comment": "x", "tokens": 7}}
                }
                """
            )
        );

    [Fact]
    public void Comments_do_not_become_channels()
    {
        var compiled = new AgentCompiler(Environment()).Compile(
            Bytes(
                """
                {"$comment": 1, "nodes": [{"id": "s", "type": "set", "assign": {"$comment": 1, "x": 2}}],
                 "edges": [{"from": "START", "to": "s"}], "initial_state": {"$comment": 1, "x": 1}}
                """
            )
        );

        Assert.Equal(["x"], compiled.InitialState.Select(entry => entry.Key));
        Assert.DoesNotContain("$comment", compiled.Graph.Channels.Channels.Select(channel => channel.Name));
    }

    [Theory]
    [InlineData("""{"type": "list", "item_type": "dict", "reducer": "add_messages"}""", "append")]
    [InlineData("""{"type": "list", "item_type": "message", "reducer": "add_messages"}""", "messages")]
    [InlineData("""{"type": "list", "reducer": "append"}""", "append")]
    [InlineData("""{"type": "list", "reducer": "operator.add"}""", "append")]
    [InlineData("""{"type": "int", "reducer": "operator.add"}""", "sum")]
    [InlineData("""{"type": "dict", "reducer": "merge"}""", "merge")]
    [InlineData("""{"type": "str", "reducer": "replace"}""", "last_value")]
    [InlineData("""{"type": "any"}""", "last_value")]
    public void The_channels_of_an_older_state_schema_are_read(string channel, string kind)
    {
        var compiled = new AgentCompiler(Environment()).Compile(
            Bytes(
                """
                {"nodes": [{"id": "a", "type": "Orchestrator", "config": {"name": "Trip Desk", "model": MODEL, "state_schema":
                 {"$comment": "x", "found": CHANNEL}}}]}
                """.Replace("CHANNEL", channel, StringComparison.Ordinal)
            )
        );

        var channels = compiled.Graph.Channels;
        Assert.Equal(kind, channels[channels.Require("found")].Kind);
        Assert.DoesNotContain("$comment", channels.Channels.Select(it => it.Name));
    }

    [Fact]
    public void The_default_of_a_channel_is_its_initial_value()
    {
        var compiled = new AgentCompiler(Environment()).Compile(
            Bytes(
                """
                {"nodes": [{"id": "a", "type": "agent", "model": MODEL, "state_schema":
                 {"x": {"type": "int", "default": 1}, "y": {"type": "int", "default": 2}}}], "initial_state": {"y": 3}}
                """
            )
        );

        Assert.Equal(["x=1", "y=3"], compiled.InitialState.Select(entry => $"{entry.Key}={entry.Value}"));
    }

    [Fact]
    public void A_default_that_the_channel_refuses_is_reported() =>
        Assert.Contains(
            Validate(
                """
                {"nodes": [{"id": "a", "type": "agent", "model": MODEL, "state_schema":
                 {"x": {"type": "int", "reducer": "sum", "default": "many"}}}]}
                """
            ),
            fault => fault.Code == "invalid_state" && fault.Message.Contains("expects a number", StringComparison.Ordinal)
        );

    [Fact]
    public void The_script_of_an_older_tool_is_beside_its_name()
    {
        var source = DefinitionReader.Read(
            Bytes(
                """
                {"tool_definitions": [{"name": "t", "script": "print(1)", "dependencies": ["x"], "description": "d"}],
                 "nodes": [{"id": "a", "type": "agent", "model": MODEL}]}
                """
            )
        );

        Assert.Empty(source.Faults);
        var tool = Assert.Single(source.Definition!.ToolDefinitions!);
        Assert.Equal(("print(1)", "x"), (tool.Runtime!.Script, Assert.Single(tool.Runtime.Dependencies!)));
    }

    [Theory]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL, "interupt_on": {"ls": true}}]}""",
        "$.nodes[0].interupt_on",
        "interrupt_on"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL, "interruptOn": {"ls": true}}]}""",
        "$.nodes[0].interruptOn",
        "interrupt_on"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL, "sytem_prompt": "x"}]}""",
        "$.nodes[0].sytem_prompt",
        "system_prompt"
    )]
    [InlineData("""{"nodes": [{"id": "a", "type": "agent", "model": MODEL}], "Limits": {"max_tokens": 5}}""", "$.Limits", "limits")]
    [InlineData("""{"nodes": [{"id": "a", "type": "agent", "model": MODEL}], "limit": {"max_tokens": 5}}""", "$.limit", "limits")]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": {"provider": "scripted", "script": [{"text": "x"}], "max-tokens": 5}}]}""",
        "$.nodes[0].model.max-tokens",
        "max_tokens"
    )]
    [InlineData(
        """{"nodes": [{"id": "a", "type": "agent", "model": MODEL}], "edges": [{"form": "START", "to": "a"}]}""",
        "$.edges[0].form",
        "from"
    )]
    public void An_unknown_field_that_resembles_a_known_one_is_an_error(string definition, string path, string meant)
    {
        var fault = Assert.Single(Validate(definition), fault => fault.Path == path);

        Assert.Equal(("unknown_field", false, $"did you mean '{meant}'?"), (fault.Code, fault.IsWarning, fault.Hint));
    }

    [Theory]
    [InlineData("""{"interrupt_on": {"ls": true}, "nodes": [{"id": "a", "type": "agent", "model": MODEL}]}""", "$.interrupt_on")]
    [InlineData("""{"max_tokens": 7, "nodes": [{"id": "a", "type": "agent", "model": MODEL}]}""", "$.max_tokens")]
    [InlineData("""{"nodes": [{"id": "a", "type": "agent", "model": MODEL, "budget": {"run": {"tokens": 7}}}]}""", "$.nodes[0].budget")]
    public void A_limit_or_approval_in_the_wrong_place_is_an_error(string definition, string path)
    {
        var fault = Assert.Single(Validate(definition), fault => fault.Path == path);

        Assert.False(fault.IsWarning);
        Assert.StartsWith("place '", fault.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"id": "a", "type": "agent", "model": MODEL, "interrupt_before": true}""", "$.nodes[0].interrupt_before")]
    [InlineData(
        """{"id": "a", "type": "agent", "model": MODEL, "config": {"interrupt_after": true}}""",
        "$.nodes[0].config.interrupt_after"
    )]
    [InlineData(
        """
            {"id": "a", "type": "agent", "model": MODEL}, {"id": "b", "type": "specialist", "description": "d", "limits": {"max_tokens": 7}}
            """,
        "$.nodes[1].limits"
    )]
    public void A_limit_or_approval_that_would_be_ignored_is_an_error(string nodes, string path) =>
        Assert.Contains(
            Validate($"{{\"nodes\": [{nodes}]}}"),
            fault => fault is { Code: "ignored_field", IsWarning: false } && fault.Path == path
        );

    [Theory]
    [InlineData(
        """{"author": "me", "nodes": [{"id": "a", "type": "agent", "model": MODEL, "position": {"x": 1, "y": 2}, "layout": {}}]}"""
    )]
    public void Other_unknown_fields_are_warnings(string definition)
    {
        var faults = Validate(definition);

        Assert.Equal(3, faults.Count);
        Assert.All(faults, fault => Assert.True(fault is { Code: "unknown_field", IsWarning: true }));
    }

    private static IReadOnlyList<DefinitionFault> Validate(string definition) =>
        DefinitionValidator.Validate(DefinitionReader.Read(Bytes(definition)), Environment());

    private static DefinitionEnvironment Environment() => new(TestAgents.Models, new ToolCatalog([]), new RunLimits());

    private static byte[] Bytes(string definition) =>
        Encoding.UTF8.GetBytes(
            definition.Replace("MODEL", """{"provider": "scripted", "model": "m", "script": [{"text": "x"}]}""", StringComparison.Ordinal)
        );
}
