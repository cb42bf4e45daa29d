using System.Globalization;
using System.Text;
using AgentExecutor.Adapters.Connections;
using AgentExecutor.Adapters.Redis;
using AgentExecutor.Core.Events;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AgentExecutor.IntegrationTests.Redis;

/// <summary>Members that the tests of the Redis adapter share.</summary>
public abstract class RedisTest
{
    protected static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private protected static RedisConnection Open(RedisSettings settings, ILogger? logger = null) =>
        new(settings, Outages(logger ?? NullLogger.Instance), TimeProvider.System, logger ?? NullLogger.Instance);

    private protected static RedisSubscriber OpenSubscriber(RedisSettings settings, ILogger? logger = null) =>
        new(settings, Outages(logger ?? NullLogger.Instance), TimeProvider.System, logger ?? NullLogger.Instance);

    private protected static RedisEventTransport OpenTransport(
        RedisSettings settings,
        StreamSettings? stream = null,
        ILoggerFactory? loggers = null
    ) => new(settings, stream ?? new StreamSettings(), TimeProvider.System, loggers ?? NullLoggerFactory.Instance);

    private protected static Task<RedisResult> SendAsync(RedisConnection connection, params string[] command) =>
        SendAsync(connection, command, Cancel);

    private protected static Task<RedisResult> SendAsync(
        RedisConnection connection,
        string[] command,
        CancellationToken cancellationToken
    ) => connection.SendAsync(database => database.ExecuteAsync(command[0], [.. command[1..]]), cancellationToken);

    private protected static async Task<string> AskAsync(RedisConnection connection, params string[] command)
    {
        var value = await SendAsync(connection, command).WaitAsync(Limit);
        return value.ToString();
    }

    private protected static async Task<RedisFaultException> FaultOf(Func<Task> act) =>
        await Assert.ThrowsAsync<RedisFaultException>(() => act().WaitAsync(Limit));

    protected static StreamEvent Event(long sequence, string data = "{}", string type = EventKinds.LlmStream) =>
        new(
            sequence,
            type,
            Encoding.UTF8.GetBytes($$"""{"event_type":"{{type}}","data":{{data}},"seq":{{sequence}},"ts":"2026-11-21T10:00:00+00:00"}""")
        );

    /// <summary>Returns when the server has received the number of PINGs.</summary>
    protected static Task PingsAsync(RedisServer server, int count) =>
        Wait.UntilAsync(async () =>
            (await server.AskAsync("INFO", "commandstats")).Split("cmdstat_ping:calls=")[^1].Split(',')[0] is var calls
            && int.Parse(calls, CultureInfo.InvariantCulture) >= count
        );

    private static OutageLog Outages(ILogger logger) =>
        new(
            TimeProvider.System,
            reason => Adapters.Redis.Log.Unavailable(logger, reason),
            seconds => Adapters.Redis.Log.Back(logger, seconds)
        );
}
