using System.Diagnostics;
using System.Text;
using AgentExecutor.Adapters.Nats;
using AgentExecutor.Adapters.Nats.Protocol;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Nats;

/// <summary>What the tests of the client have in common.</summary>
public abstract class NatsTest
{
    protected static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private protected static NatsConnection Open(NatsSettings settings) => new(settings, TimeProvider.System, NullLogger.Instance);

    private protected static NatsConnection Open(NatsServer server) => Open(server.Settings());

    protected static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private protected static string Text(NatsMessage message) => Encoding.UTF8.GetString(message.Payload.Span);

    private protected static Task<NatsMessage> NextAsync(NatsSubscription subscription) => subscription.ReadAsync(Cancellation).AsTask().WaitAsync(Limit);

    private protected static async Task<NatsException> FaultOf(Func<Task> act) => await Assert.ThrowsAnyAsync<NatsException>(() => act().WaitAsync(Limit));

    protected static async Task Eventually(Func<Task<bool>> condition)
    {
        for (var watch = Stopwatch.StartNew(); !await condition();)
        {
            Assert.True(watch.Elapsed < Limit, $"the condition did not hold within {Limit.TotalSeconds} s");
            await Task.Delay(10, Cancellation);
        }
    }

    /// <summary>As a caller with a retry policy does: what is transient is tried again.</summary>
    private protected static async Task<T> Retried<T>(Func<Task<T>> act)
    {
        for (var watch = Stopwatch.StartNew(); ;)
        {
            try
            {
                return await act();
            }
            catch (NatsException fault) when (fault.IsTransient && watch.Elapsed < Limit)
            {
                await Task.Delay(20, Cancellation);
            }
        }
    }
}
