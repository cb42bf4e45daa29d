using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.Anthropic;

/// <summary>The provider of models behind Anthropic's Messages API.</summary>
internal sealed class AnthropicProvider(ModelServer server, ModelServerSettings settings, TimeProvider time) : IModelProvider, IDisposable
{
    /// <summary>
    /// The published version that supports a temperature and structured answers. The version that the SDK would send does not support a
    /// temperature.
    /// </summary>
    private const string ApiVersion = "2023-06-01";

    private readonly EndpointResolver _endpoints = new(server, settings);
    private readonly ModelConnections _connections = new(settings.AllowPrivateNetworks ?? false);
    private readonly ModelFaults _faults = new(server, new KeyMask(settings));
    private readonly ServerDemands _demands = new();

    public string Name => server.Name;

    public IEnumerable<ModelFault> Check(ModelSpec spec) =>
        spec.ReasoningEffort is ReasoningEfforts.None or ReasoningEfforts.Minimal
            ?
            [
                .. _endpoints.Resolve(spec).Faults,
                new ModelFault(
                    "reasoning_effort",
                    $"Anthropic's models do not support the effort '{spec.ReasoningEffort}'",
                    "use low, medium, high, xhigh or max, or omit the field"
                ),
            ]
            : _endpoints.Resolve(spec).Faults;

    public ModelAddress AddressOf(ModelSpec spec) => _endpoints.AddressOf(spec);

    public IChatClient CreateClient(ModelSpec spec)
    {
        var (endpoint, problems) = _endpoints.Resolve(spec);
        return endpoint is not null
            ? new AnthropicChatClient(spec, endpoint, Transport(endpoint), _faults, _demands, time)
            : throw new FaultException(FaultCodes.ModelInvalidRequest, problems[0].Message, problems[0].Hint);
    }

    public void Dispose() => _connections.Dispose();

    private ModelTransport Transport(ModelEndpoint endpoint) =>
        new(_connections.For(endpoint), endpoint, _faults, Authorize, time)
        {
            Fixed = new Dictionary<string, string> { ["anthropic-version"] = ApiVersion },
        };

    private static void Authorize(HttpRequestMessage request, string key) => request.Headers.TryAddWithoutValidation("x-api-key", key);
}
