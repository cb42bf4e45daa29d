using AgentExecutor.Core.Graphs.Definitions;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters.Http;

/// <summary>Makes tools of <c>runtime.type: http</c>.</summary>
internal sealed class HttpToolSource(HttpToolSettings settings, TimeProvider time) : IToolSource, IDisposable
{
    private readonly HttpClient _client = new(GuardedConnection.Handler(settings.AllowPrivateNetworks ?? false)) { Timeout = Timeout.InfiniteTimeSpan };

    public string RuntimeType => "http";

    public IEnumerable<ToolFault> Check(ToolDefinition definition)
    {
        if (!Uri.TryCreate(definition.Runtime?.Url, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
        {
            yield return new ToolFault("runtime.url", DefinitionCodes.InvalidTool, $"'{definition.Runtime?.Url}' is no http or https URL", "write an absolute URL");
        }
        if (definition.Runtime?.Method is { } method && method.ToUpperInvariant() is not ("GET" or "POST" or "PUT" or "PATCH" or "DELETE"))
        {
            yield return new ToolFault("runtime.method", DefinitionCodes.InvalidTool, $"'{method}' is no method", "use GET, POST, PUT, PATCH or DELETE");
        }
        if (definition.Runtime?.TimeoutSeconds is { } seconds && (seconds <= 0 || seconds > settings.TimeoutSeconds))
        {
            yield return new ToolFault(
                "runtime.timeout_seconds", DefinitionCodes.LimitAboveServer, $"{seconds} is not above 0 and at most the server's {settings.TimeoutSeconds}", $"write a number above 0, up to {settings.TimeoutSeconds}");
        }
    }

    public Tool Create(ToolDefinition definition) => new HttpTool(definition, settings, _client, time);

    public void Dispose() => _client.Dispose();
}
