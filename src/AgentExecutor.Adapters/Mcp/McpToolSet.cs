using System.Text.Json;
using AgentExecutor.Adapters.Http;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Schemas;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters.Mcp;

/// <summary>
/// The tools of a server that a definition stands for: all of them, some of them, or one under the definition's own name. Models see the
/// list that the server offers at the time of their call. While the server cannot be reached they see the last list, and if there is none,
/// one tool with the name of the definition, which reports the reason.
/// </summary>
internal sealed class McpToolSet : Tool, IToolGroup
{
    private static readonly JsonElement AnyObject = StoredJson.Parse("""{"type": "object"}""");

    private readonly McpConnections _connections;
    private volatile Offer? _last;

    public McpToolSet(ToolDefinition definition, McpEndpoint? endpoint, McpSettings settings, McpConnections connections, TimeProvider time)
    {
        (Definition, Endpoint, Settings, Time, _connections) = (definition, endpoint, settings, time, connections);
        Policy = new ToolPolicy { Retry = Core.Graphs.RetryPolicy.Standard };
    }

    public ToolDefinition Definition { get; }

    /// <summary>The server; null if the operator has not configured it.</summary>
    public McpEndpoint? Endpoint { get; }

    public McpSettings Settings { get; }

    public TimeProvider Time { get; }

    public override string Name => Definition.Name;

    public override string Description =>
        Definition.Description
        ?? $"The tools of the MCP server '{Endpoint?.Name}', which cannot be reached now. Call this tool to try again: "
            + "it returns their names.";

    public override JsonElement Parameters => Definition.Parameters ?? AnyObject;

    public override ToolEffects Effects => IsOne ? McpEffects.Of(Definition, null) : ToolEffects.None;

    private bool IsOne => Definition.Runtime?.Tool is not null;

    public bool Claims(string name) =>
        name == Name || (Definition.NamePrefix() is { } prefix && name.StartsWith(prefix, StringComparison.Ordinal));

    public async ValueTask<IReadOnlyList<Tool>?> ListAsync(bool refresh, CancellationToken cancellationToken)
    {
        try
        {
            return await ReadAsync(refresh, cancellationToken);
        }
        catch (McpUnavailableException)
        {
            return _last?.Tools;
        }
    }

    /// <summary>
    /// Calls the tool of the server that the definition stands for. If it stands for several, returns their names, or why they are not
    /// known.
    /// </summary>
    public override async ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        IReadOnlyList<Tool> tools;
        try
        {
            tools = await ReadAsync(refresh: false, cancellationToken);
        }
        catch (McpUnavailableException exception)
        {
            return ToolResult.Error($"Error: {exception.Message}") with { IsTransient = IsOne };
        }
        if (!IsOne)
        {
            return $"The tools are available now: {string.Join(", ", tools.Select(tool => tool.Name))}";
        }
        if (tools is not [var tool])
        {
            return ToolResult.Error($"Error: the MCP server '{Endpoint?.Name}' has no tool '{Definition.Runtime?.Tool}'.");
        }
        var faults = JsonSchemaChecker.Check(arguments, tool.Parameters);
        if (faults.Count > 0)
        {
            var problems = string.Join("; ", faults.Select(fault => $"{fault.Path} {fault.Message}"));
            return ToolResult.Error($"Error: {problems}. Correct the arguments and call again.");
        }
        return await tool.InvokeAsync(arguments, context, cancellationToken);
    }

    /// <exception cref="McpUnavailableException">The server cannot be used.</exception>
    public McpConnections.Lease Rent() =>
        _connections.Rent(
            Endpoint ?? throw new McpUnavailableException($"the MCP server '{Definition.Runtime?.Server}' is not configured here"),
            this
        );

    private async Task<IReadOnlyList<Tool>> ReadAsync(bool refresh, CancellationToken cancellationToken)
    {
        using var lease = Rent();
        var list = await lease.Connection.ListAsync(refresh, cancellationToken);
        var last = _last;
        if (last is null || !ReferenceEquals(last.List, list))
        {
            _last = last = new Offer(
                list,
                [.. list.Where(Offers).Select(Create).DistinctBy(tool => tool.Name).OrderBy(tool => tool.Name, StringComparer.Ordinal)]
            );
        }
        return last.Tools;
    }

    private bool Offers(ModelContextProtocol.Protocol.Tool tool) =>
        Definition.Runtime switch
        {
            { Tool: { } one } => tool.Name == one,
            { Tools: { } patterns } => patterns.Any(pattern => ToolNames.Matches(pattern, tool.Name)),
            _ => true,
        };

    private Tool Create(ModelContextProtocol.Protocol.Tool tool) =>
        new McpTool(IsOne ? Name : ToolNames.Of(Definition.NamePrefix()!, tool.Name), tool, this) { Policy = Policy };

    private sealed record Offer(IReadOnlyList<ModelContextProtocol.Protocol.Tool> List, IReadOnlyList<Tool> Tools);
}
