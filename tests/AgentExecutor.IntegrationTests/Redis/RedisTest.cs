using System.Diagnostics;
using System.Globalization;
using System.Text;
using AgentExecutor.Adapters.Connections;
using AgentExecutor.Adapters.Redis;
using AgentExecutor.Adapters.Redis.Protocol;
using AgentExecutor.Core.Events;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Redis;

/// <summary>What the tests of the client have in common.</summary>
public abstract class RedisTest
{
    protected static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private protected static RedisConnection Open(RedisSettings settings, ILogger? logger = null) =>
        new(settings, Outages(logger ?? NullLogger.Instance), TimeProvider.System, logger ?? NullLogger.Instance);

    private protected static RedisSubscriber OpenSubscriber(RedisSettings settings, ILogger? logger = null) =>
        new(settings, Outages(logger ?? NullLogger.Instance), TimeProvider.System, logger ?? NullLogger.Instance);

    private protected static RedisEventTransport OpenTransport(RedisSettings settings, StreamSettings? stream = null, ILoggerFactory? loggers = null) =>
        new(settings, stream ?? new StreamSettings(), TimeProvider.System, loggers ?? NullLoggerFactory.Instance);

    private protected static async Task<string> AskAsync(RedisConnection connection, params string[] command)
    {
        var value = await connection.SendAsync(command, Cancel).WaitAsync(Limit);
        return value.Kind == RespKind.Integer ? $"{value.Number}" : value.Text;
    }

    private protected static async Task<RedisException> FaultOf(Func<Task> act) => await Assert.ThrowsAsync<RedisException>(() => act().WaitAsync(Limit));

    protected static StreamEvent Event(long sequence, string data = "{}", string type = EventKinds.LlmStream) =>
        new(sequence, type, Encoding.UTF8.GetBytes($$"""{"event_type":"{{type}}","data":{{data}},"seq":{{sequence}},"ts":"2026-11-21T10:00:00+00:00"}"""));

    protected static async Task Eventually(Func<Task<bool>> condition)
    {
        for (var watch = Stopwatch.StartNew(); !await condition();)
        {
            Assert.True(watch.Elapsed < Limit, $"the condition did not hold within {Limit.TotalSeconds} s");
            await Task.Delay(10, Cancel);
        }
    }

    protected static Task Eventually(Func<bool> condition) => Eventually(() => Task.FromResult(condition()));

    /// <summary>Returns when the server has been asked so often whether it is there.</summary>
    private protected static Task PingsAsync(RedisConnection observer, int count) => Eventually(async () =>
        (await AskAsync(observer, "INFO", "commandstats")).Split("cmdstat_ping:calls=")[^1].Split(',')[0] is var calls && int.Parse(calls, CultureInfo.InvariantCulture) >= count);

    private static OutageLog Outages(ILogger logger) => new(TimeProvider.System, reason => Log.Unavailable(logger, reason), seconds => Log.Back(logger, seconds));
}

/// <summary>One logger for all.</summary>
internal sealed class OneLogger(ILogger logger) : ILoggerFactory
{
    public void AddProvider(ILoggerProvider provider)
    {
    }

    public ILogger CreateLogger(string categoryName) => logger;

    public void Dispose()
    {
    }
}
