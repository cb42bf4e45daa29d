using System.Text;
using AgentExecutor.Adapters.Http;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Compilation;

public sealed class ToolPolicyChecksTests
{
    private const string Definition = """
        {"nodes": [{"id": "a", "type": "orchestrator",
         "config": {"model": {"provider": "scripted", "model": "m", "script": [{"text": "x"}]}}}],
         "tool_definitions": [{"name": "x", "runtime": {"url": "https://h/"}, POLICY}]}
        """;

    [Theory]
    [InlineData(
        """
            "timeout_seconds": 0
            """,
        "invalid_limit",
        "timeout_seconds"
    )]
    [InlineData(
        """
            "timeout_seconds": "soon"
            """,
        "wrong_type",
        "timeout_seconds"
    )]
    [InlineData(
        """
            "retry": {"max_attempts": 0}
            """,
        "invalid_limit",
        "retry.max_attempts"
    )]
    [InlineData(
        """
            "retry": {"first_delay_seconds": -1}
            """,
        "invalid_limit",
        "retry"
    )]
    [InlineData(
        """
            "effects": "once", "retry": {"max_attempts": 2}
            """,
        "wrong_value",
        "retry"
    )]
    [InlineData(
        """
            "effects": "once", "retry": {}
            """,
        "wrong_value",
        "retry"
    )]
    [InlineData(
        """
            "max_concurrent": 0
            """,
        "invalid_limit",
        "max_concurrent"
    )]
    [InlineData(
        """
            "calls_per_minute": 0
            """,
        "invalid_limit",
        "calls_per_minute"
    )]
    [InlineData(
        """
            "max_concurent": 1
            """,
        "unknown_field",
        "max_concurent"
    )]
    public void A_policy_that_cannot_hold_is_reported(string policy, string code, string path) =>
        Assert.Equal([(code, $"$.tool_definitions[0].{path}")], Faults(Definition.Replace("POLICY", policy, StringComparison.Ordinal)));

    [Fact]
    public void A_policy_of_a_built_in_tool_is_reported() =>
        Assert.Equal(
            [("ignored_field", "$.tool_definitions[0].max_concurrent")],
            Faults(
                Definition
                    .Replace("POLICY", "\"max_concurrent\": 1", StringComparison.Ordinal)
                    .Replace("\"x\", \"runtime\": {\"url\": \"https://h/\"}", "\"ls\"", StringComparison.Ordinal)
            )
        );

    [Fact]
    public void A_valid_policy_has_no_faults() =>
        Assert.Empty(
            Faults(
                Definition.Replace(
                    "POLICY",
                    """
                    "timeout_seconds": 0.5, "retry": {"max_attempts": 20, "first_delay_seconds": 0}, "max_concurrent": 1,
                    "calls_per_minute": 0.1
                    """,
                    StringComparison.Ordinal
                )
            )
        );

    private static List<(string Code, string Path)> Faults(string definition)
    {
        using var http = new HttpToolSource(new HttpToolSettings(), TimeProvider.System);
        var environment = new DefinitionEnvironment(TestAgents.Models, new ToolCatalog([http]), new RunLimits());
        var source = DefinitionReader.Read(Encoding.UTF8.GetBytes(definition));
        return [.. DefinitionValidator.Validate(source, environment).Select(fault => (fault.Code, fault.Path))];
    }
}
