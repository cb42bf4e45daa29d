using System.Collections.Concurrent;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>What a server asks of requests to a model beyond what others do.</summary>
[Flags]
internal enum ServerDemand
{
    None = 0,

    /// <summary>Requests with tools say that the model does not reason.</summary>
    NoEffortWithTools = 1,

    /// <summary>The model's thoughts stand with its tool calls.</summary>
    ThoughtsWithCalls = 2,
}

/// <summary>The demands of servers, by address and model: found out by a refusal, and heeded from then on by all clients of a provider.</summary>
internal sealed class ServerDemands
{
    /// <summary>Definitions name servers and models as they like. What is forgotten is found out anew.</summary>
    private const int Most = 1_000;

    private readonly ConcurrentDictionary<(Uri Server, string Model), ServerDemand> _known = new();

    public ServerDemand Of(Uri server, string model) => _known.GetValueOrDefault((server, model));

    public void Learn(Uri server, string model, ServerDemand demands)
    {
        if (_known.Count >= Most)
        {
            _known.Clear();
        }
        _known.AddOrUpdate((server, model), demands, (_, known) => known | demands);
    }
}
