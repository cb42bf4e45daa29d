using System.Collections.Frozen;
using System.Collections.Immutable;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Tools;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// All tools of an agent by name: the built-in ones, <c>task</c> if it has sub-agents, its own, and those that its groups of tools offer at
/// the moment.
/// </summary>
internal sealed class Toolbox
{
    private readonly FrozenDictionary<string, Tool> _byName;
    private readonly ImmutableArray<Tool> _groups;
    private readonly IList<AITool> _declarations;

    private Toolbox(IReadOnlyList<Tool> tools)
    {
        _byName = tools.ToFrozenDictionary(tool => tool.Name, StringComparer.Ordinal);
        _groups = [.. tools.Where(tool => tool is IToolGroup)];
        _declarations = [.. tools.Where(tool => tool is not IToolGroup).Select(Declare)];
    }

    public static Toolbox Of(AgentSpec spec, ModelCatalog models)
    {
        var tools = ToolCatalog.Builtin.ToList();
        if (!spec.Subagents.IsEmpty)
        {
            tools.Add(new TaskTool(spec.Subagents, models));
        }
        tools.AddRange(spec.Tools.Where(tool => tools.TrueForAll(builtin => builtin.Name != tool.Name)));
        return new Toolbox(tools);
    }

    /// <summary>Returns the declarations of the tools that the model can call now, always in the same order.</summary>
    public async ValueTask<IList<AITool>> DeclareAsync(NodeContext context, CancellationToken cancellationToken)
    {
        if (_groups.IsEmpty)
        {
            return _declarations;
        }
        var declarations = _declarations.ToList();
        var names = declarations.Select(tool => tool.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var group in _groups)
        {
            var offered = await ListAsync(group, false, context, cancellationToken) ?? [group];
            declarations.AddRange(offered.Where(tool => names.Add(tool.Name)).Select(Declare));
        }
        return declarations;
    }

    /// <summary>Returns the agent's own tool with this name, without those of its groups.</summary>
    public Tool? FindOwn(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Returns the tool that a model calls by this name, or null if there is none now.</summary>
    public async ValueTask<Tool?> FindAsync(string name, NodeContext context, CancellationToken cancellationToken)
    {
        if (FindOwn(name) is { } own and not IToolGroup)
        {
            return own;
        }
        foreach (var group in _groups.Where(group => ((IToolGroup)group).Claims(name)))
        {
            // A name that is not in the list that is known may be that of a new tool.
            foreach (var refresh in (bool[])[false, true])
            {
                if (await ListAsync(group, refresh, context, cancellationToken) is not { } offered)
                {
                    return group; // it reports why its tools are not available
                }
                if (offered.FirstOrDefault(tool => tool.Name == name) is { } found)
                {
                    return found;
                }
            }
        }
        return FindOwn(name);
    }

    /// <summary>
    /// Returns the name under which the definition knows a tool: that of its group, if it belongs to one, or else its own.
    /// </summary>
    public string DefinedName(string name) =>
        FindOwn(name) is null && _groups.FirstOrDefault(group => ((IToolGroup)group).Claims(name)) is { } group ? group.Name : name;

    /// <summary>Returns the names of all tools that the model can call now.</summary>
    public async ValueTask<IEnumerable<string>> NamesAsync(NodeContext context, CancellationToken cancellationToken) =>
        (await DeclareAsync(context, cancellationToken)).Select(tool => tool.Name).Order(StringComparer.Ordinal);

    /// <summary>Lists the tools of a group. The run gives up its slot while it waits for the server.</summary>
    private static async ValueTask<IReadOnlyList<Tool>?> ListAsync(
        Tool group,
        bool refresh,
        NodeContext context,
        CancellationToken cancellationToken
    )
    {
        var list = ((IToolGroup)group).ListAsync(refresh, cancellationToken);
        if (list.IsCompleted)
        {
            return await list;
        }
        var pending = list.AsTask();
        await context.Session.WaitAsync(token => new ValueTask(pending.WaitAsync(token)), cancellationToken);
        return await pending;
    }

    private static AITool Declare(Tool tool) => AIFunctionFactory.CreateDeclaration(tool.Name, tool.Description, tool.Parameters);
}
