using AgentExecutor.Adapters.Egress;
using AgentExecutor.Adapters.Http;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters.OpenApi;

/// <summary>Creates tools from the operations of an OpenAPI document in the definition.</summary>
internal sealed class OpenApiSource : IToolSource, IDisposable
{
    private readonly HttpToolSettings _settings;
    private readonly TimeProvider _time;
    private readonly EgressGuard _guard;
    private readonly HttpClient _client;

    public OpenApiSource(HttpToolSettings settings, TimeProvider time)
    {
        (_settings, _time, _guard) = (settings, time, settings.CreateGuard());
        _client = new HttpClient(_guard.CreateHandler()) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public string RuntimeType => "openapi";

    public IEnumerable<ToolFault> Check(ToolDefinition definition)
    {
        var operations = OpenApiOperations.Read(definition);
        if (operations.Faults.Count > 0)
        {
            return operations.Faults;
        }
        var checks = new HttpToolChecks(_settings, _guard);
        return operations
            .Tools.SelectMany(checks.Check)
            .Concat(HttpToolChecks.CheckTimeout(definition.Runtime?.TimeoutSeconds, _settings))
            .DistinctBy(fault => fault.Path);
    }

    public string? EffectsOf(ToolDefinition definition) =>
        definition.Runtime?.Operation is not null && OpenApiOperations.Read(definition).Tools is [var only]
            ? OpenApiToolSet.EffectsOf(only)
            : null;

    public Tool Create(ToolDefinition definition)
    {
        var tools = OpenApiOperations.Read(definition).Tools;
        return definition.Runtime?.Operation is not null && tools is [var only]
            ? CreateHttp(only with { Effects = definition.Effects, StatesEffects = definition.StatesEffects })
            : new OpenApiToolSet(definition, tools, CreateHttp);
    }

    public void Dispose() => _client.Dispose();

    private HttpTool CreateHttp(ToolDefinition definition) => new(definition, _settings, _client, _time);
}
