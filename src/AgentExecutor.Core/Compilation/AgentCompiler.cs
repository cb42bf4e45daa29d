using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Agents.Output;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.ModelProviders.Scripted;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Core.Compilation;

/// <summary>
/// Compiles a definition to a <see cref="CompiledAgent"/>: binds its agents to models and tools, and connects them in a graph.
/// </summary>
public sealed class AgentCompiler(DefinitionEnvironment environment)
{
    /// <summary>The sub-agent that every orchestrator has: a copy of the orchestrator that works in a fresh context.</summary>
    public const string GeneralPurpose = "general-purpose";

    /// <summary>The placeholder, in plans, for the provider of agents that have no model.</summary>
    private const string NoProvider = "default";

    /// <summary>
    /// Compiles a definition for inspection only. Missing keys and settings are tolerated, and its agents cannot make calls.
    /// </summary>
    /// <exception cref="DefinitionException">The definition itself is invalid.</exception>
    public static CompiledAgent CompilePlan(ReadOnlyMemory<byte> json, DefinitionEnvironment environment)
    {
        var reader = new AgentCompiler(
            environment with
            {
                Models = new ModelCatalog([
                    .. environment.Models.Names.Select(name => new PlannedProvider(name, environment.Models.Find(name))),
                    new PlannedProvider(NoProvider, null),
                ]),
                DefaultModel = environment.DefaultModel ?? new ModelSpec { Provider = NoProvider, Model = "LLM_MODEL_NAME" },
            }
        );
        return reader.Compile(json, fault => fault.IsEnvironment);
    }

    /// <exception cref="DefinitionException">The definition is invalid; the exception lists all faults.</exception>
    public CompiledAgent Compile(ReadOnlyMemory<byte> json) => Compile(json, _ => false);

    private CompiledAgent Compile(ReadOnlyMemory<byte> json, Func<DefinitionFault, bool> isTolerated)
    {
        var source = DefinitionReader.Read(json);
        var faults = DefinitionValidator.Validate(source, environment);
        var fatal = faults.Where(fault => !fault.IsWarning && !isTolerated(fault)).ToList();
        if (source.Definition is not { } definition || fatal.Count > 0)
        {
            throw new DefinitionException(fatal);
        }
        var root = GraphPart.Root(definition, source.Json);
        var tools = (definition.ToolDefinitions ?? []).ToDictionary(tool => tool.Name, environment.Tools.Create, StringComparer.Ordinal);
        var agents = ImmutableArray.CreateBuilder<AgentSpec>();
        var graph = root.IsWorkflow
            ? new GraphCompiler(
                definition,
                environment.Models,
                tools,
                (part, config, node) => Agent(part, node, config, definition, tools),
                agents
            ).Compile(root, definition.Name ?? "workflow")
            : DeepAgent(root, definition, tools, agents);
        return new CompiledAgent(
            HashOf(json.Span),
            definition.Name ?? graph.Name,
            graph,
            LimitsOf(definition.Limits ?? (root.IsWorkflow ? null : root.Orchestrator?.Config?.Limits)),
            InitialState(definition, root.IsWorkflow ? root.Nodes : [root.Orchestrator!], graph.Channels),
            NeedsMessage: !root.IsWorkflow,
            agents.ToImmutable()
        )
        {
            Budget = BudgetReader.Read(definition.Budget),
        };
    }

    public static string HashOf(ReadOnlySpan<byte> json) => Convert.ToHexStringLower(SHA256.HashData(json));

    internal static string NameOf(NodeDefinition node) =>
        node.Config?.Name is { Length: > 0 } name && Names.IsAgentName(name) ? name : node.Id;

    /// <summary>
    /// Returns the model of an agent: the override, the agent's own, the orchestrator's, or the default, in this order. Null if there is
    /// none.
    /// </summary>
    internal static ModelSpec? ModelOf(NodeConfig config, NodeConfig? orchestrator, DefinitionEnvironment environment) =>
        environment.ModelOverride ?? Read(config.Model, environment) ?? Read(orchestrator?.Model, environment) ?? environment.DefaultModel;

    /// <summary>Reads an entry of <c>interrupt_on</c>. Returns null if no approval is required.</summary>
    internal static ApprovalPolicy? ReadPolicy(JsonElement json, bool asksItself, out string fault)
    {
        const string Rule = "the value must be true, false, or an object with the allowed decisions";
        fault = "";
        switch (json.ValueKind)
        {
            case JsonValueKind.True:
                return ApprovalPolicy.All;
            case JsonValueKind.False:
                return null;
        }
        var given = json.Property("allowed") ?? json.Property("allowed_decisions");
        var allowed =
            given is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray().Select(JsonBytes.Display).ToImmutableArray()
            : asksItself ? [ApprovalPolicy.Respond]
            : given is null && json.ValueKind == JsonValueKind.Object && json.EnumerateObject().Any() ? ApprovalPolicy.All.Allowed
            : [];
        if (json.ValueKind != JsonValueKind.Object || allowed.IsEmpty || !allowed.All(ApprovalPolicy.All.Allowed.Contains))
        {
            fault = Rule;
            return null;
        }
        var fallback = asksItself || !allowed.Contains(ApprovalPolicy.Reject) ? InterruptTerms.Fail : ApprovalPolicy.Reject;
        var terms = AnswerTermsReader.Read(json, allowed, fallback, ["allowed", "allowed_decisions", "description"], out fault);
        return fault.Length == 0 ? new ApprovalPolicy(allowed) { Terms = terms } : null;
    }

    private Graph DeepAgent(
        GraphPart root,
        AgentDefinition definition,
        Dictionary<string, Tool> tools,
        ImmutableArray<AgentSpec>.Builder agents
    )
    {
        var orchestrator = root.Orchestrator!;
        var own = Agent(root, orchestrator, orchestrator.Config!, definition, tools);
        var specialists = root
            .Nodes.Where(node => node != orchestrator && NodeTypes.IsAgent(node.Type))
            .Select(node => Agent(root, node, node.Config!, definition, tools) with { Name = NameOf(node) });
        var general = own with
        {
            Name = GeneralPurpose,
            Description = "A capable agent with the same tools as you, for any task that no other sub-agent fits.",
            Output = null, // these two apply only to the final answer to the user
            ToolChoice = ToolChoice.Auto,
        };
        var spec = own with { Subagents = [.. specialists, general] };
        agents.Add(spec);
        agents.AddRange(spec.Subagents);
        return AgentGraph.Build(spec, environment.Models, GraphCompiler.DeclaredChannels([orchestrator], definition));
    }

    private AgentSpec Agent(
        GraphPart part,
        NodeDefinition node,
        NodeConfig config,
        AgentDefinition definition,
        Dictionary<string, Tool> tools
    ) =>
        new()
        {
            Name = NameOf(node),
            Description = config.Description ?? "",
            SystemPrompt = config.SystemPrompt ?? "",
            Model = ModelOf(config, part.Orchestrator?.Config, environment)!,
            CheaperModel = Read(definition.Budget?.SwitchTo, environment),
            Tools =
            [
                .. (config.Tools ?? []).Select(name => tools.GetValueOrDefault(name) ?? ToolCatalog.FindOptional(name)).OfType<Tool>(),
            ],
            Skills = SkillChecks.Of(config, definition, environment.Skills),
            Channels = [.. GraphCompiler.ChannelsOf(config.StateSchema)],
            Defaults = GraphCompiler.DefaultsOf(config.StateSchema).ToImmutableDictionary(StringComparer.Ordinal),
            Output = OutputFormat.Read(config.ResponseFormat),
            ToolChoice = config.ToolChoice is { } choice ? new ToolChoice(choice) : ToolChoice.Auto,
            InterruptOn = (config.InterruptOn ?? new Dictionary<string, JsonElement>())
                .Select(entry =>
                    (entry.Key, Policy: ReadPolicy(entry.Value, ToolCatalog.FindOptional(entry.Key) is { AsksItself: true }, out _))
                )
                .Where(entry => entry.Policy is not null)
                .ToImmutableDictionary(entry => entry.Key, entry => entry.Policy!),
        };

    /// <summary>Reads a model. Returns null if neither the model nor the default names a provider.</summary>
    internal static ModelSpec? Read(ModelDefinition? model, DefinitionEnvironment environment)
    {
        if (model is null)
        {
            return null;
        }
        var fallback = environment.DefaultModel;
        if ((model.Provider ?? fallback?.Provider) is not { } provider)
        {
            return null;
        }
        return new ModelSpec
        {
            Provider = provider,
            Model =
                model.Model
                ?? model.ModelName
                ?? (
                    fallback?.Provider == provider ? fallback.Model
                    : provider == ScriptedProvider.ProviderName ? "default"
                    : ""
                ),
            Temperature = (float?)model.Temperature,
            MaxTokens = model.MaxTokens,
            ReasoningEffort = model.ReasoningEffort,
            BaseUrl = model.BaseUrl,
            ContextTokens = model.ContextTokens ?? 128_000,
            Script = model.Script ?? default,
            FallbackOnRefusal = model.FallbackOnRefusal ?? false,
            Fallbacks =
            [
                .. (model.Fallbacks ?? []).Select(next =>
                    Read(next, environment) is { } read
                        ? read with
                        {
                            Temperature = read.Temperature ?? (float?)model.Temperature,
                            MaxTokens = read.MaxTokens ?? model.MaxTokens,
                        }
                        : new ModelSpec { Provider = "", Model = next.Model ?? next.ModelName ?? "" }
                ),
            ],
        };
    }

    private RunLimits LimitsOf(LimitsDefinition? own) =>
        environment.Limits with
        {
            MaxSupersteps = own?.MaxSupersteps ?? environment.Limits.MaxSupersteps,
            MaxToolCalls = own?.MaxToolCalls ?? environment.Limits.MaxToolCalls,
            MaxSubagentDepth = own?.MaxSubagentDepth ?? environment.Limits.MaxSubagentDepth,
            MaxParallelTasks = own?.MaxParallelTasks ?? environment.Limits.MaxParallelTasks,
            MaxFanOut = own?.MaxFanOut ?? environment.Limits.MaxFanOut,
            MaxTokens = own?.MaxTokens ?? environment.Limits.MaxTokens,
            MaxCostUsd = own?.MaxCostUsd ?? environment.Limits.MaxCostUsd,
            MaxSeconds = own?.MaxSeconds ?? environment.Limits.MaxSeconds,
        };

    /// <summary>Returns the initial state, and the defaults of the channels that it does not set.</summary>
    private static ImmutableArray<KeyValuePair<string, object>> InitialState(
        AgentDefinition definition,
        IReadOnlyList<NodeDefinition> nodes,
        ChannelSet channels
    )
    {
        var values = new OrderedDictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (
            var (name, value) in nodes
                .Select(it => it.Config?.StateSchema)
                .Prepend(definition.StateSchema)
                .SelectMany(GraphCompiler.DefaultsOf)
        )
        {
            values[name] = value;
        }
        foreach (var field in definition.InitialState is { ValueKind: JsonValueKind.Object } initial ? initial.EnumerateObject() : default)
        {
            values[field.Name] = field.Value;
        }
        try
        {
            return
            [
                .. values
                    .Where(field => field.Value.ValueKind != JsonValueKind.Null)
                    .Select(field =>
                        KeyValuePair.Create(field.Key, channels[channels.Require(field.Key)].ReadUpdate(field.Value, "initial"))
                    ),
            ];
        }
        catch (FaultException fault)
        {
            throw new DefinitionException([
                new DefinitionFault(DefinitionCodes.InvalidState, "$.initial_state", fault.Message, fault.Hint ?? "correct the value"),
            ]);
        }
    }
}
