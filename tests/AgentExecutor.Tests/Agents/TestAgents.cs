using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.ModelProviders.Scripted;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Tests.Agents;

public static class TestAgents
{
    public static ModelCatalog Models { get; } = new([new ScriptedProvider(TimeProvider.System)]);

    public static AgentSpec Scripted(string name, string script) =>
        new()
        {
            Name = name,
            Model = new ModelSpec
            {
                Provider = ScriptedProvider.ProviderName,
                Model = "test",
                Script = JsonElement.Parse(script),
            },
        };
}

/// <summary>A tool that accepts any arguments and answers at once.</summary>
public abstract class TestTool(string name) : Tool
{
    public override string Name => name;

    public override string Description => "For tests.";

    public override JsonElement Parameters { get; } = JsonElement.Parse("""{"type": "object"}""");

    public override ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken) =>
        ValueTask.FromResult<ToolResult>(Invoke(context));

    protected abstract string Invoke(ToolContext context);
}
