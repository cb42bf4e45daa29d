using System.Text.Json;
using AgentExecutor.Adapters.Http;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters.OpenApi;

/// <summary>The tools of several operations of an OpenAPI document.</summary>
/// <param name="definition">The definition with the document.</param>
/// <param name="operations">The definition of a tool over HTTP for each operation.</param>
/// <param name="create">Creates a tool.</param>
internal sealed class OpenApiToolSet(
    ToolDefinition definition,
    IReadOnlyList<ToolDefinition> operations,
    Func<ToolDefinition, HttpTool> create
) : Tool, IToolGroup
{
    private static readonly JsonElement AnyObject = StoredJson.Parse("""{"type": "object"}""");

    private IReadOnlyList<Tool>? _tools;

    public override string Name => definition.Name;

    public override string Description => definition.Description ?? "Returns the names of the tools.";

    public override JsonElement Parameters => AnyObject;

    /// <summary>The effects of an operation that the definition does not state: null if the settings decide.</summary>
    public static string? EffectsOf(ToolDefinition operation)
    {
        var method = HttpToolRequest.MethodOf(operation);
        return method == HttpMethod.Get || method == HttpMethod.Head ? "none" : null;
    }

    public bool Claims(string name) => name == Name || name.StartsWith(definition.NamePrefix()!, StringComparison.Ordinal);

    public ValueTask<IReadOnlyList<Tool>?> ListAsync(bool refresh, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<Tool>?>(_tools ??= [.. operations.Select(Create)]);

    public override ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken) =>
        ValueTask.FromResult<ToolResult>($"The tools are {string.Join(", ", operations.Select(operation => operation.Name))}");

    private Tool Create(ToolDefinition operation) =>
        create(
                operation with
                {
                    Effects = definition.StatesEffects ? definition.Effects : EffectsOf(operation) ?? definition.Effects,
                    StatesEffects = definition.StatesEffects,
                }
            )
            .With(Policy == ToolPolicy.None ? new ToolPolicy { Retry = RetryPolicy.Standard } : Policy);
}
