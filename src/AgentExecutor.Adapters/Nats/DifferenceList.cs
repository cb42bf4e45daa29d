using System.Text.Json.Nodes;

namespace AgentExecutor.Adapters.Nats;

/// <summary>The differences between an existing stream or consumer and the one that the service needs.</summary>
internal sealed class DifferenceList : List<ConfigurationDifference>
{
    public void Add(string description, string consequence, JsonObject? change) =>
        Add(new ConfigurationDifference(description, consequence, change));
}
