using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Threading.Channels;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Redis;

/// <summary>The data on the server, and what other programs receive.</summary>
public sealed class RedisStreamTests(RedisFixture redis) : RedisTest
{
    [Fact]
    public async Task Subscribers_of_the_channel_receive_the_JSON_unchanged()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        await using var transport = OpenTransport(server.Settings());
        using var cli = server.StartCli("SUBSCRIBE", "langgraph:stream:t");
        var output = cli.StandardOutput;
        Assert.Equal(["subscribe", "langgraph:stream:t", "1"], [await LineAsync(output), await LineAsync(output), await LineAsync(output)]);

        var value = Event(1, """{"text":"é ☃"}""");
        Assert.Equal(1, await transport.PublishAsync([("t", value)], Cancel));

        Assert.Equal(
            ["message", "langgraph:stream:t", Encoding.UTF8.GetString(value.Json.Span)],
            [await LineAsync(output), await LineAsync(output), await LineAsync(output)]
        );
        cli.Kill();
    }

    [Fact]
    public async Task The_stream_is_bounded_and_expires()
    {
        var server = await redis.ServerAsync();
        await using var connection = Open(server.Settings());
        await using var transport = OpenTransport(server.Settings(), new StreamSettings { KeepEvents = 500, KeepSeconds = 99.5 });
        var (thread, other) = (redis.Name(), redis.Name());

        for (var start = 1; start < 5000; start += 1000)
        {
            await transport.PublishAsync([.. Enumerable.Range(start, 1000).Select(number => (thread, Event(number)))], Cancel);
        }
        await transport.PublishAsync([(other, Event(4))], Cancel);

        Assert.InRange(int.Parse(await AskAsync(connection, "XLEN", $"langgraph:events:{thread}"), CultureInfo.InvariantCulture), 500, 700);
        Assert.InRange(int.Parse(await AskAsync(connection, "TTL", $"langgraph:events:{thread}"), CultureInfo.InvariantCulture), 90, 100);
        await AskAsync(connection, "PERSIST", $"langgraph:events:{other}");
        await transport.PublishAsync([(thread, Event(1)), (other, Event(1)), (other, Event(2))], Cancel);
        Assert.InRange(int.Parse(await AskAsync(connection, "TTL", $"langgraph:events:{other}"), CultureInfo.InvariantCulture), 90, 100);
        Assert.Equal("1", await AskAsync(connection, "XLEN", $"langgraph:events:{thread}"));
    }

    [Fact]
    public async Task A_long_stream_is_read_in_pages_and_foreign_entries_are_skipped()
    {
        var server = await redis.ServerAsync();
        await using var connection = Open(server.Settings());
        await using var transport = OpenTransport(server.Settings());
        var (thread, key) = (redis.Name(), "langgraph:events:");
        await transport.PublishAsync([.. Enumerable.Range(1, 1500).Select(number => (thread, Event(number)))], Cancel);
        await AskAsync(connection, "XADD", key + thread, "1500-7", "event", """{"event_type":"end","seq":1500}""");
        await AskAsync(connection, "XADD", key + thread, "1501-0", "other", "x", "event", "no json");
        await AskAsync(connection, "XADD", key + thread, "1502-0", "a", "b", "event", """{"event_type":"end","seq":1502}""");
        await AskAsync(connection, "XADD", key + thread, "18446744073709551615-18446744073709551615", "a", "b");

        Assert.Equal(
            Enumerable.Range(1, 1500).Append(1502),
            (await transport.ReadAsync(thread, 0, long.MaxValue, Cancel)).Select(value => (int)value.Sequence)
        );
        Assert.Equal([1499, 1500, 1502], (await transport.ReadAsync(thread, 1498, long.MaxValue, Cancel)).Select(value => value.Sequence));
    }

    [Fact]
    public async Task Foreign_messages_are_ignored()
    {
        var server = await redis.ServerAsync();
        await using var connection = Open(server.Settings());
        await using var transport = OpenTransport(server.Settings());
        var (thread, heard) = (redis.Name(), Channel.CreateUnbounded<StreamEvent>());
        await transport.SubscribeAsync(thread, value => heard.Writer.TryWrite(value), () => { }, Cancel);
        foreach (var message in (string[])["", "hello", "{}", "[1]", """{"event_type":"end"}"""])
        {
            await AskAsync(connection, "PUBLISH", $"langgraph:stream:{thread}", message);
        }
        await transport.PublishAsync([(thread, Event(7))], Cancel);

        Assert.Equal(7, (await heard.Reader.ReadAsync(Cancel).AsTask().WaitAsync(Limit)).Sequence);
    }

    [Fact]
    public async Task Events_that_the_server_refuses_are_counted_and_reported_once()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        await using var connection = Open(server.Settings());
        var log = new LogLines();
        using var loggers = new LogLinesFactory(log);
        await using var transport = OpenTransport(server.Settings(), loggers: loggers);
        await AskAsync(connection, "SET", "langgraph:events:bad", "a text");

        for (var number = 2; number < 5; number++)
        {
            Assert.Equal(1, await transport.PublishAsync([("bad", Event(number)), ("good", Event(number))], Cancel));
        }
        await server.AskAsync("CONFIG", "SET", "maxmemory", "1");
        Assert.Equal(0, await transport.PublishAsync([("good", Event(9))], Cancel));
        await server.AskAsync("CONFIG", "SET", "maxmemory", "0");
        Assert.Equal(1, await transport.PublishAsync([("good", Event(10))], Cancel));

        Assert.Equal(["1142", "1144"], log.Lines.Select(line => line[..4]));
        Assert.Contains("WRONGTYPE", log.Lines.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Large_events_and_large_batches_are_delivered()
    {
        var server = await redis.ServerAsync();
        await using var transport = OpenTransport(server.Settings() with { RequestTimeoutSeconds = 10 });
        var (thread, heard) = (redis.Name(), Channel.CreateUnbounded<StreamEvent>());
        await transport.SubscribeAsync(thread, value => heard.Writer.TryWrite(value), () => { }, Cancel);
        StreamEvent[] events =
        [
            Event(1, $"{{\"text\":\"{new string('x', 10 * 1024 * 1024)}\"}}"),
            .. Enumerable.Range(2, 3000).Select(number => Event(number, $"{{\"text\":\"{new string('y', 2000)}\"}}")),
        ];

        Assert.Equal(3001, await transport.PublishAsync([.. events.Select(value => (thread, value))], Cancel));

        var kept = await transport.ReadAsync(thread, 0, long.MaxValue, Cancel);
        foreach (var (value, stored) in events.Zip(kept))
        {
            Assert.True(stored.Json.Span.SequenceEqual(value.Json.Span));
            var received = await heard.Reader.ReadAsync(Cancel).AsTask().WaitAsync(Limit);
            Assert.True(received.Sequence == value.Sequence && received.Json.Span.SequenceEqual(value.Json.Span));
        }
        Assert.Equal(events.Length, kept.Length);
    }

    [Fact]
    public async Task Fifty_thousand_events_are_delivered_quickly()
    {
        var server = await redis.ServerAsync();
        await using var transport = OpenTransport(server.Settings() with { RequestTimeoutSeconds = 10 });
        var threads = Enumerable.Range(0, 10).Select(_ => redis.Name()).ToArray();
        var data = $"{{\"agent\":\"writer\",\"message_id\":\"m1\",\"content\":\"{new string('x', 40)}\"}}";
        await transport.PublishAsync(
            [.. Enumerable.Range(0, 1000).Select(number => (threads[number % 10], Event(number + 1, data)))],
            Cancel
        );
        var events = Enumerable.Range(1001, 50_000).Select(number => (threads[number % 10], Event(number, data))).ToList();

        var watch = Stopwatch.StartNew();
        Assert.Equal(50_000, await transport.PublishAsync(events, Cancel).AsTask().WaitAsync(Limit));
        var seconds = watch.Elapsed.TotalSeconds;

        TestContext.Current.SendDiagnosticMessage($"{events.Count * 2 / seconds:N0} commands/s");
        // The limit is generous, because other tests may load the machine.
        Assert.True(seconds < 10, $"{events.Count * 2 / seconds:N0} commands/s");
    }

    [Fact]
    public async Task Events_of_a_run_continue_after_the_server_was_killed_and_faults_are_transient_meanwhile()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        var log = new LogLines();
        using var loggers = new LogLinesFactory(log);
        await using var transport = OpenTransport(server.Settings(), loggers: loggers);
        await using var watcher = OpenTransport(server.Settings());
        var (restored, last) = (0, 0L);
        await watcher.SubscribeAsync(
            "t",
            value => Volatile.Write(ref last, value.Sequence),
            () => Interlocked.Increment(ref restored),
            Cancel
        );
        await transport.SubscribeAsync("u", _ => { }, () => { }, Cancel);
        var (number, faults) = (0, 0);
        async Task PublishUntilAsync(Func<bool> isEnough)
        {
            var watch = Stopwatch.StartNew();
            while (!isEnough())
            {
                Assert.True(watch.Elapsed < Limit);
                try
                {
                    number++;
                    await transport.PublishAsync([("t", Event(number))], Cancel);
                }
                catch (FaultException fault) when (fault is { IsTransient: true, Code: FaultCodes.StreamUnavailable })
                {
                    faults++;
                    await Task.Delay(10, Cancel);
                }
            }
        }

        await PublishUntilAsync(() => number > 200);
        await server.KillAsync();
        await PublishUntilAsync(() => faults > 3);
        await server.StartAgainAsync();
        await PublishUntilAsync(() => Volatile.Read(ref restored) == 1);
        var now = number;
        await PublishUntilAsync(() => Volatile.Read(ref last) > now + 10);

        Assert.Equal(1, log.Lines.Count(line => line.StartsWith("1140", StringComparison.Ordinal)));
        await Wait.UntilAsync(() => log.Lines.Count(line => line.StartsWith("1141", StringComparison.Ordinal)) == 1);
    }

    private static async Task<string> LineAsync(StreamReader output) => await output.ReadLineAsync(Cancel).AsTask().WaitAsync(Limit) ?? "";
}
