using AgentExecutor.Adapters.Nats.Protocol;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Jobs;

/// <summary>What the workers' consumer has left to do.</summary>
internal static class ConsumerState
{
    /// <summary>Messages that wait or are in somebody's hands.</summary>
    public static async Task<long> LeftAsync(NatsServer server)
    {
        await using var connection = new NatsConnection(server.Settings(), TimeProvider.System, NullLogger.Instance);
        var consumer = await new JetStream(connection).FindConsumerAsync("AGENT_EXECUTION", "agent-executor-workers", TestContext.Current.CancellationToken);
        return consumer is null ? 0 : consumer.Pending + consumer.AckPending;
    }
}
