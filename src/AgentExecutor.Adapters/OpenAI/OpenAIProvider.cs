using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.OpenAI;

/// <summary>
/// The provider of models behind OpenAI's chat completions API: those of OpenAI, of Ollama, and of any other compatible server.
/// </summary>
internal sealed class OpenAIProvider(ModelServer server, ModelServerSettings settings, TimeProvider time) : IModelProvider, IDisposable
{
    private readonly EndpointResolver _endpoints = new(server, settings);
    private readonly ModelConnections _connections = new(settings.AllowPrivateNetworks ?? false);
    private readonly ModelFaults _faults = new(server, new KeyMask(settings));
    private readonly ServerDemands _demands = new();

    public string Name => server.Name;

    public IEnumerable<ModelFault> Check(ModelSpec spec) => _endpoints.Resolve(spec).Faults;

    public ModelAddress AddressOf(ModelSpec spec) => _endpoints.AddressOf(spec);

    public IChatClient CreateClient(ModelSpec spec)
    {
        var (endpoint, problems) = _endpoints.Resolve(spec);
        return endpoint is not null
            ? new OpenAIChatClient(spec, endpoint, Transport(endpoint), _faults, _demands, time)
            : throw new FaultException(FaultCodes.ModelInvalidRequest, problems[0].Message, problems[0].Hint);
    }

    public void Dispose() => _connections.Dispose();

    private ModelTransport Transport(ModelEndpoint endpoint) =>
        new(
            _connections.For(endpoint),
            endpoint,
            _faults,
            (request, key) => request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {key}"),
            time
        );
}
