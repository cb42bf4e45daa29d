using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Support;

/// <summary>The state of the consumer of the workers.</summary>
internal static class ConsumerState
{
    /// <summary>The number of messages that wait or are not acknowledged.</summary>
    public static async Task<long> LeftAsync(NatsServer server)
    {
        await using var admin = new JetStreamAdmin(server);
        var consumer = await admin.FindConsumerAsync("AGENT_EXECUTION", "agent-executor-workers", TestContext.Current.CancellationToken);
        return consumer is null ? 0 : (long)consumer.NumPending + consumer.NumAckPending;
    }
}
