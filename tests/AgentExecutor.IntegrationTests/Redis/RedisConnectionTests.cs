using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using AgentExecutor.Adapters.Redis.Protocol;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Redis;

public sealed class RedisConnectionTests(RedisFixture redis) : RedisTest
{
    [Fact]
    public async Task Answers_find_their_callers()
    {
        await using var connection = Open((await redis.ServerAsync()).Settings());

        var answers = await Task.WhenAll(Enumerable.Range(0, 2000).Select(number => AskAsync(connection, "ECHO", $"{number}")));

        Assert.Equal(Enumerable.Range(0, 2000).Select(number => $"{number}"), answers);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Speaks_both_versions(bool hasHello)
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync(hasHello ? [] : ["rename-command HELLO \"\""]);
        await using var connection = Open(server.Settings());
        await AskAsync(connection, "HSET", "h", "f", "v");

        Assert.Equal(hasHello ? RespKind.Map : RespKind.Array, (await connection.SendAsync(["HGETALL", "h"], Cancel)).Kind);
        Assert.Equal(RespKind.Null, (await connection.SendAsync(["GET", "none"], Cancel)).Kind);
        Assert.Contains("WRONGTYPE", (await FaultOf(() => connection.SendAsync(["GET", "h"], Cancel))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Big_values_come_whole()
    {
        await using var connection = Open((await redis.ServerAsync()).Settings());
        var (key, value) = (redis.Name(), new string('x', 10 * 1024 * 1024));
        await AskAsync(connection, "SET", key, value);

        Assert.Equal(value, await AskAsync(connection, "GET", key));
        Assert.Equal("1", await AskAsync(connection, "DEL", key));
    }

    [Fact]
    public async Task A_hundred_thousand_commands_in_one_write_are_all_answered_and_their_errors_found()
    {
        await using var connection = Open((await redis.ServerAsync()).Settings());
        var (key, text) = (redis.Name(), redis.Name());
        await AskAsync(connection, "SET", text, "a");

        var errors = await connection.SendAllAsync((key, text), 100_000, static (output, it) => Write(output, it.key, it.text), Cancel).WaitAsync(Limit);

        Assert.Equal(Enumerable.Range(0, 100).Select(number => number * 1000), errors.Select(error => error.Index));
        Assert.All(errors, error => Assert.StartsWith("ERR value is not an integer", error.Text, StringComparison.Ordinal));
        Assert.Equal("99900", await AskAsync(connection, "GET", key));
    }

    [Fact]
    public async Task Batches_of_many_callers_do_not_mix()
    {
        await using var connection = Open((await redis.ServerAsync()).Settings());
        var key = redis.Name();

        var batches = Task.WhenAll(Enumerable.Range(0, 200).Select(number => connection.SendAllAsync(
            (key: $"{key}-{number}", count: number), number, static (output, it) =>
            {
                for (var index = 0; index < it.count; index++)
                {
                    RespWriter.Write(output, "RPUSH", it.key, index.ToString(CultureInfo.InvariantCulture));
                }
            }, Cancel)));
        var singles = Task.WhenAll(Enumerable.Range(0, 200).Select(number => AskAsync(connection, "ECHO", $"{number}")));

        Assert.All(await batches.WaitAsync(Limit), Assert.Empty);
        Assert.Equal("17", (await singles.WaitAsync(Limit))[17]);
        var list = await connection.SendAsync(["LRANGE", $"{key}-150", "0", "-1"], Cancel);
        Assert.Equal(Enumerable.Range(0, 150).Select(number => $"{number}"), list.Items.Select(item => item.Text));
    }

    [Fact]
    public async Task A_caller_who_gives_up_disturbs_nobody()
    {
        await using var connection = Open((await redis.ServerAsync()).Settings());
        using var impatience = new CancellationTokenSource();
        var blocked = connection.SendAsync(["BLPOP", redis.Name(), "0.5"], impatience.Token);
        var next = AskAsync(connection, "ECHO", "next");
        await impatience.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => blocked.WaitAsync(Limit));
        Assert.Equal("next", await next);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_a_transient_fault_until_it_comes()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        await server.KillAsync();
        await using var connection = Open(server.Settings($"redis://user@127.0.0.1:{server.Port}"));

        var fault = await FaultOf(() => connection.SendAsync(["PING"], Cancel));
        Assert.Equal((RedisFault.Unreachable, true), (fault.Fault, fault.IsTransient));
        Assert.False(connection.IsConnected);

        var connected = connection.ConnectedAsync(Cancel);
        await server.StartAgainAsync();
        await connected.WaitAsync(Limit);
        Assert.True(connection.IsConnected);
    }

    [Fact]
    public async Task A_server_that_is_killed_under_load_is_missed_once_and_used_again_when_it_is_back()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        var log = new LogLines();
        await using var connection = Open(server.Settings(), log);
        var (done, failed) = (0, 0);
        using var enough = new CancellationTokenSource();
        var load = Task.WhenAll(Enumerable.Range(0, 20).Select(async _ =>
        {
            while (!enough.IsCancellationRequested)
            {
                try
                {
                    await connection.SendAllAsync("k", 100, static (output, key) => Write(output, key, 100), Cancel);
                    Interlocked.Increment(ref done);
                }
                catch (RedisException fault) when (fault.IsTransient)
                {
                    Interlocked.Increment(ref failed);
                    await Task.Delay(5, Cancel);
                }
            }
        }));
        await Eventually(() => Volatile.Read(ref done) > 100);
        await server.KillAsync();
        await Eventually(() => Volatile.Read(ref failed) > 20);
        await server.StartAgainAsync();
        var before = Volatile.Read(ref done);
        await Eventually(() => Volatile.Read(ref done) > before + 100);
        await enough.CancelAsync();
        await load.WaitAsync(Limit);

        Assert.Equal(["1142", "1140", "1142", "1141"], log.Lines.Select(line => line[..4]));
    }

    [Fact]
    public async Task A_server_that_hangs_is_left_and_found_again()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        await using var connection = Open(server.Settings() with { PingSeconds = 0.3, RequestTimeoutSeconds = 0.5 });
        await connection.ConnectedAsync(Cancel);

        await server.FreezeAsync();
        var watch = Stopwatch.StartNew();
        var fault = await FaultOf(() => connection.SendAsync(["PING"], Cancel));
        Assert.Equal((RedisFault.Disconnected, true), (fault.Fault, fault.IsTransient));
        Assert.InRange(watch.Elapsed.TotalSeconds, 0.3, 5);
        await server.ThawAsync();
        await connection.ConnectedAsync(Cancel).WaitAsync(Limit);

        await server.FreezeAsync();
        await Eventually(() => !connection.IsConnected); // nobody asks anything: the PING finds out
        await server.ThawAsync();
        await Eventually(() => connection.IsConnected);
    }

    [Fact]
    public async Task A_large_write_into_a_server_that_hangs_ends_too()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        await using var connection = Open(server.Settings() with { RequestTimeoutSeconds = 0.5 });
        await connection.ConnectedAsync(Cancel);

        await server.FreezeAsync();
        var calls = Enumerable.Range(0, 5).Select(_ => FaultOf(() => connection.SendAsync(["SET", "a", new string('x', 16 * 1024 * 1024)], Cancel))).ToList();
        Assert.All(await Task.WhenAll(calls), fault => Assert.True(fault.IsTransient));
        await server.ThawAsync();
    }

    [Fact]
    public async Task An_idle_connection_stays()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        var log = new LogLines();
        await using var connection = Open(server.Settings() with { PingSeconds = 0.1, RequestTimeoutSeconds = 0.4 }, log);
        await using var observer = Open(server.Settings());
        await connection.ConnectedAsync(Cancel);
        await PingsAsync(observer, 8);

        Assert.Single(log.Lines);
    }

    [Fact]
    public async Task A_server_that_became_a_replica_is_left_for_the_one_that_its_name_leads_to()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        var log = new LogLines();
        await using var connection = Open(server.Settings() with { RequestTimeoutSeconds = 0.2 }, log);
        await AskAsync(connection, "SET", "a", "b");
        await AskAsync(connection, "REPLICAOF", "127.0.0.1", "1");

        await Eventually(async () =>
        {
            Assert.True((await FaultOf(() => connection.SendAsync(["SET", "a", "b"], Cancel))).IsTransient);
            return log.Lines.Any(line => line.StartsWith("1140", StringComparison.Ordinal));
        });
        Assert.Contains("READONLY", log.Lines.First(line => line.StartsWith("1140", StringComparison.Ordinal)), StringComparison.Ordinal);
        await connection.ConnectedAsync(Cancel).WaitAsync(Limit);
    }

    [Fact]
    public async Task After_its_end_it_is_closed()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        var connection = Open(server.Settings());
        await using var observer = Open(server.Settings());
        var blocked = FaultOf(() => connection.SendAsync(["BLPOP", "none", "5"], Cancel));
        await Eventually(async () => (await AskAsync(observer, "INFO", "clients")).Contains("blocked_clients:1", StringComparison.Ordinal));
        await connection.DisposeAsync();

        Assert.Equal(RedisFault.Closed, (await blocked).Fault);
        Assert.Equal(RedisFault.Closed, (await FaultOf(() => connection.SendAsync(["PING"], Cancel))).Fault);
        Assert.Equal(RedisFault.Closed, (await FaultOf(() => connection.ConnectedAsync(Cancel))).Fault);
    }

    /// <summary>100,000 INCR; each thousandth of a key that holds a text.</summary>
    private static void Write(IBufferWriter<byte> output, string key, string text)
    {
        for (var number = 0; number < 100_000; number++)
        {
            RespWriter.Write(output, "INCR", number % 1000 == 0 ? text : key);
        }
    }

    private static void Write(IBufferWriter<byte> output, string key, int count)
    {
        for (; count > 0; count--)
        {
            RespWriter.Write(output, "INCR", key);
        }
    }
}
