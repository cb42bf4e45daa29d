using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters.Http;

/// <summary>Creates tools with <c>runtime.type: http</c>.</summary>
internal sealed class HttpToolSource : IToolSource, IDisposable
{
    private readonly HttpToolSettings _settings;
    private readonly TimeProvider _time;
    private readonly HttpToolChecks _checks;
    private readonly HttpClient _client;

    public HttpToolSource(HttpToolSettings settings, TimeProvider time)
    {
        var guard = settings.CreateGuard();
        (_settings, _time, _checks) = (settings, time, new HttpToolChecks(settings, guard));
        _client = new HttpClient(guard.CreateHandler()) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public string RuntimeType => "http";

    public IEnumerable<ToolFault> Check(ToolDefinition definition) => _checks.Check(definition);

    public string? EffectsOf(ToolDefinition definition)
    {
        var method = HttpToolRequest.MethodOf(definition);
        return method == HttpMethod.Get || method == HttpMethod.Head ? "none" : null;
    }

    public Tool Create(ToolDefinition definition) => new HttpTool(definition, _settings, _client, _time);

    public void Dispose() => _client.Dispose();
}
