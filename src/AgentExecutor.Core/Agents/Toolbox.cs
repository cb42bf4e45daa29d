using System.Collections.Frozen;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Tools;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Agents;

/// <summary>All tools of an agent by name: the built-in ones, <c>task</c> if it has sub-agents, and its own.</summary>
internal sealed class Toolbox
{
    private readonly FrozenDictionary<string, Tool> _byName;

    private Toolbox(IReadOnlyList<Tool> tools)
    {
        _byName = tools.ToFrozenDictionary(tool => tool.Name, StringComparer.Ordinal);
        Declarations =
        [
            .. tools.Select(AITool (tool) => AIFunctionFactory.CreateDeclaration(tool.Name, tool.Description, tool.Parameters)),
        ];
    }

    public IList<AITool> Declarations { get; }

    public IEnumerable<string> Names => _byName.Keys.Order(StringComparer.Ordinal);

    public Tool? Find(string name) => _byName.GetValueOrDefault(name);

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
}
