using System.Diagnostics;
using AgentExecutor.Adapters.Redis;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using StackExchange.Redis;

namespace AgentExecutor.IntegrationTests.Redis;

public sealed class RedisConnectionTests(RedisFixture redis) : RedisTest
{
    [Fact]
    public async Task Answers_are_returned_to_their_callers()
    {
        await using var connection = Open((await redis.ServerAsync()).Settings());

        var answers = await Task.WhenAll(Enumerable.Range(0, 2000).Select(number => AskAsync(connection, "PING", $"{number}")));

        Assert.Equal(Enumerable.Range(0, 2000).Select(number => $"{number}"), answers);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Both_versions_of_the_protocol_are_supported(bool hasHello)
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync(hasHello ? [] : ["rename-command HELLO \"\""]);
        await using var connection = Open(server.Settings());
        await AskAsync(connection, "HSET", "h", "f", "v");

        Assert.Equal(hasHello ? ResultType.Map : ResultType.Array, (await SendAsync(connection, "HGETALL", "h")).Resp3Type);
        Assert.True((await SendAsync(connection, "GET", "none")).IsNull);
        Assert.Contains("WRONGTYPE", (await FaultOf(() => SendAsync(connection, "GET", "h"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Large_values_are_returned_complete()
    {
        await using var connection = Open((await redis.ServerAsync()).Settings());
        var (key, value) = (redis.Name(), new string('x', 10 * 1024 * 1024));
        await AskAsync(connection, "SET", key, value);

        Assert.Equal(value, await AskAsync(connection, "GET", key));
        Assert.Equal("1", await AskAsync(connection, "DEL", key));
    }

    [Fact]
    public async Task A_hundred_thousand_commands_in_one_batch_are_all_answered_with_their_errors()
    {
        await using var connection = Open((await redis.ServerAsync()).Settings());
        var (key, text) = (redis.Name(), redis.Name());
        await AskAsync(connection, "SET", text, "a");

        var errors = await connection.SendAllAsync(database => Increments(database, key, text), Cancel).WaitAsync(Limit);

        Assert.Equal(Enumerable.Range(0, 100).Select(number => number * 1000), errors.Select(error => error.Index));
        Assert.All(errors, error => Assert.StartsWith("ERR value is not an integer", error.Text, StringComparison.Ordinal));
        Assert.Equal("99900", await AskAsync(connection, "GET", key));
    }

    [Fact]
    public async Task Concurrent_batches_are_not_mixed()
    {
        await using var connection = Open((await redis.ServerAsync()).Settings());
        var key = redis.Name();

        var batches = Task.WhenAll(
            Enumerable
                .Range(0, 200)
                .Select(number =>
                    connection.SendAllAsync(
                        database => [.. Enumerable.Range(0, number).Select(index => database.ListRightPushAsync($"{key}-{number}", index))],
                        Cancel
                    )
                )
        );
        var singles = Task.WhenAll(Enumerable.Range(0, 200).Select(number => AskAsync(connection, "PING", $"{number}")));

        Assert.All(await batches.WaitAsync(Limit), Assert.Empty);
        Assert.Equal("17", (await singles.WaitAsync(Limit))[17]);
        var list = await SendAsync(connection, "LRANGE", $"{key}-150", "0", "-1");
        Assert.Equal(Enumerable.Range(0, 150).Select(number => $"{number}"), (string[])list!);
    }

    [Fact]
    public async Task A_cancelled_call_does_not_affect_other_calls()
    {
        await using var connection = Open((await redis.ServerAsync()).Settings());
        using var impatience = new CancellationTokenSource();
        var blocked = SendAsync(connection, ["BLPOP", redis.Name(), "0.5"], impatience.Token);
        var next = AskAsync(connection, "PING", "next");
        await impatience.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => blocked.WaitAsync(Limit));
        Assert.Equal("next", await next);
    }

    [Fact]
    public async Task A_missing_server_is_a_transient_fault_until_it_starts()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        await server.KillAsync();
        await using var connection = Open(server.Settings($"redis://user@127.0.0.1:{server.Port}"));

        var fault = await FaultOf(() => SendAsync(connection, "PING"));
        Assert.Equal((RedisFault.Unreachable, true), (fault.Fault, fault.IsTransient));
        Assert.False(connection.IsConnected);

        var connected = connection.ConnectedAsync(Cancel);
        await server.StartAgainAsync();
        await connected.WaitAsync(Limit);
        Assert.True(connection.IsConnected);
    }

    [Fact]
    public async Task A_server_that_is_killed_under_load_is_reported_once_and_used_again_after_its_restart()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        var log = new LogLines();
        await using var connection = Open(server.Settings(), log);
        var (done, failed) = (0, 0);
        using var enough = new CancellationTokenSource();
        var load = Task.WhenAll(
            Enumerable
                .Range(0, 20)
                .Select(async _ =>
                {
                    while (!enough.IsCancellationRequested)
                    {
                        try
                        {
                            await connection.SendAllAsync(
                                static database => [.. Enumerable.Range(0, 100).Select(_ => database.StringIncrementAsync("k"))],
                                Cancel
                            );
                            Interlocked.Increment(ref done);
                        }
                        catch (RedisFaultException fault) when (fault.IsTransient)
                        {
                            Interlocked.Increment(ref failed);
                            await Task.Delay(5, Cancel);
                        }
                    }
                })
        );
        await Wait.UntilAsync(() => Volatile.Read(ref done) > 100);
        await server.KillAsync();
        await Wait.UntilAsync(() => Volatile.Read(ref failed) > 20);
        await server.StartAgainAsync();
        var before = Volatile.Read(ref done);
        await Wait.UntilAsync(() => Volatile.Read(ref done) > before + 100);
        await enough.CancelAsync();
        await load.WaitAsync(Limit);

        Assert.Equal(["1142", "1140", "1142", "1141"], log.Lines.Select(line => line[..4]));
    }

    [Fact]
    public async Task Commands_that_are_sent_while_the_connection_closes_end()
    {
        var (settings, key) = ((await redis.ServerAsync()).Settings(), redis.Name());
        for (var round = 0; round < 200; round++)
        {
            var connection = Open(settings);
            await connection.ConnectedAsync(Cancel);
            var senders = Enumerable.Range(0, 8).Select(_ => Task.Run(() => SendUntilClosedAsync(connection, key), Cancel)).ToList();
            await Task.Delay(round % 5, Cancel);
            await connection.DisposeAsync();
            await Task.WhenAll(senders).WaitAsync(Limit, Cancel);
        }
    }

    [Fact]
    public async Task A_server_that_hangs_is_disconnected_and_used_again_later()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        await using var connection = Open(server.Settings() with { PingSeconds = 0.3, RequestTimeoutSeconds = 0.5 });
        await connection.ConnectedAsync(Cancel);

        await server.FreezeAsync();
        var watch = Stopwatch.StartNew();
        var fault = await FaultOf(() => SendAsync(connection, "PING"));
        Assert.Equal((RedisFault.Disconnected, true), (fault.Fault, fault.IsTransient));
        Assert.InRange(watch.Elapsed.TotalSeconds, 0.3, 5);
        await server.ThawAsync();
        await connection.ConnectedAsync(Cancel).WaitAsync(Limit);

        await server.FreezeAsync();
        await Wait.UntilAsync(() => !connection.IsConnected); // There are no commands, so only the PING can detect it.
        await server.ThawAsync();
        await Wait.UntilAsync(() => connection.IsConnected);
    }

    [Fact]
    public async Task A_large_write_to_a_server_that_hangs_ends()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        await using var connection = Open(server.Settings() with { RequestTimeoutSeconds = 0.5 });
        await connection.ConnectedAsync(Cancel);

        await server.FreezeAsync();
        var calls = Enumerable
            .Range(0, 5)
            .Select(_ => FaultOf(() => SendAsync(connection, "SET", "a", new string('x', 16 * 1024 * 1024))))
            .ToList();
        Assert.All(await Task.WhenAll(calls), fault => Assert.True(fault.IsTransient));
        await server.ThawAsync();
    }

    [Fact]
    public async Task An_idle_connection_stays_open()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        var log = new LogLines();
        await using var connection = Open(server.Settings() with { PingSeconds = 0.1, RequestTimeoutSeconds = 0.4 }, log);
        await connection.ConnectedAsync(Cancel);
        await PingsAsync(server, 8);

        Assert.Single(log.Lines);
    }

    [Fact]
    public async Task A_server_that_became_a_replica_is_disconnected_so_that_its_name_is_resolved_again()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        var log = new LogLines();
        await using var connection = Open(server.Settings() with { RequestTimeoutSeconds = 0.2 }, log);
        await AskAsync(connection, "SET", "a", "b");
        Assert.Equal("OK", await server.AskAsync("REPLICAOF", "127.0.0.1", "1"));

        await Wait.UntilAsync(async () =>
        {
            Assert.True((await FaultOf(() => SendAsync(connection, "SET", "a", "b"))).IsTransient);
            return log.Lines.Any(line => line.StartsWith("1140", StringComparison.Ordinal));
        });
        Assert.Contains("READONLY", log.Lines.First(line => line.StartsWith("1140", StringComparison.Ordinal)), StringComparison.Ordinal);
        await connection.ConnectedAsync(Cancel).WaitAsync(Limit);
    }

    [Fact]
    public async Task Calls_after_disposal_report_a_closed_connection()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        var connection = Open(server.Settings());
        var blocked = FaultOf(() => SendAsync(connection, "BLPOP", "none", "5"));
        await Wait.UntilAsync(async () =>
            (await server.AskAsync("INFO", "clients")).Contains("blocked_clients:1", StringComparison.Ordinal)
        );
        await connection.DisposeAsync();

        Assert.Equal(RedisFault.Closed, (await blocked).Fault);
        Assert.Equal(RedisFault.Closed, (await FaultOf(() => SendAsync(connection, "PING"))).Fault);
        Assert.Equal(RedisFault.Closed, (await FaultOf(() => connection.ConnectedAsync(Cancel))).Fault);
    }

    /// <summary>100,000 INCR commands. Every thousandth fails, because its key contains a text.</summary>
    private static List<Task> Increments(IDatabaseAsync database, string key, string text) =>
        [.. Enumerable.Range(0, 100_000).Select(number => database.StringIncrementAsync(number % 1000 == 0 ? text : key))];

    private static async Task SendUntilClosedAsync(RedisConnection connection, string key)
    {
        while (true)
        {
            try
            {
                await connection.SendAllAsync(
                    database => [.. Enumerable.Range(0, 100).Select(_ => database.StringIncrementAsync(key))],
                    Cancel
                );
            }
            catch (RedisFaultException fault) when (fault.Fault == RedisFault.Closed)
            {
                return;
            }
            catch (RedisFaultException fault) when (fault.IsTransient)
            {
                // The connection is about to be closed.
            }
        }
    }
}
