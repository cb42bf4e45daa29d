using System.Threading.Channels;
using AgentExecutor.Adapters.Redis;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using StackExchange.Redis;

namespace AgentExecutor.IntegrationTests.Redis;

public sealed class RedisSubscriberTests(RedisFixture redis) : RedisTest
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Channels_and_patterns_are_received_in_both_versions_of_the_protocol(bool hasHello)
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync(hasHello ? [] : ["rename-command HELLO \"\""]);
        await using var connection = Open(server.Settings());
        await using var subscriber = OpenSubscriber(server.Settings() with { PingSeconds = 0.1, RequestTimeoutSeconds = 10 });
        var (channel, pattern) = (new Inbox(), new Inbox());
        await subscriber.SubscribeAsync(RedisChannel.Literal("news.a"), channel.Receive, channel.Restored, Cancel);
        await subscriber.SubscribeAsync(RedisChannel.Pattern("news.*"), pattern.Receive, pattern.Restored, Cancel);

        Assert.Equal("2", await AskAsync(connection, "PUBLISH", "news.a", "one"));
        Assert.Equal("1", await AskAsync(connection, "PUBLISH", "news.b", "two"));
        Assert.Equal("news.a one", await channel.NextAsync());
        Assert.Equal(["news.a one", "news.b two"], [await pattern.NextAsync(), await pattern.NextAsync()]);

        await PingsAsync(server, 5); // The idle subscriber sends PINGs.
        subscriber.Unsubscribe(RedisChannel.Pattern("news.*"));
        await Wait.UntilAsync(async () => await AskAsync(connection, "PUBLISH", "news.c", "three") == "0");
        Assert.Equal("1", await AskAsync(connection, "PUBLISH", "news.a", "four"));
        Assert.Equal("news.a four", await channel.NextAsync());
        Assert.Equal((0, 0), (channel.Restorations, pattern.Restorations));
    }

    [Fact]
    public async Task No_connection_is_made_before_the_first_subscription()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        await using var subscriber = OpenSubscriber(server.Settings());
        subscriber.Unsubscribe(RedisChannel.Literal("none"));

        Assert.Contains("connected_clients:1\r", await server.AskAsync("INFO", "clients"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Thousands_of_channels_are_subscribed_to_at_once_and_again_after_an_outage()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        await using var connection = Open(server.Settings());
        var log = new LogLines();
        await using var subscriber = OpenSubscriber(server.Settings() with { RequestTimeoutSeconds = 5 }, log);
        var inboxes = Enumerable.Range(0, 5000).Select(_ => new Inbox()).ToList();

        await Task.WhenAll(
                inboxes.Select(
                    (inbox, number) => subscriber.SubscribeAsync(RedisChannel.Literal($"c{number}"), inbox.Receive, inbox.Restored, Cancel)
                )
            )
            .WaitAsync(Limit);
        subscriber.Unsubscribe(RedisChannel.Literal("c17"));
        await server.KillAsync();
        await server.StartAgainAsync();
        await Wait.UntilAsync(() => inboxes.Where((_, number) => number != 17).All(inbox => inbox.Restorations == 1));
        await connection.ConnectedAsync(Cancel);
        await AskAsync(connection, "PUBLISH", "c4999", "a");

        Assert.Equal("c4999 a", await inboxes[4999].NextAsync());
        Assert.Equal(0, inboxes[17].Restorations);
        Assert.Equal("0", await AskAsync(connection, "PUBLISH", "c17", "a"));
        Assert.Equal(["1142", "1140", "1142", "1141"], log.Lines.Select(line => line[..4]));
    }

    [Fact]
    public async Task After_an_unsubscription_and_a_subscription_only_the_last_subscriber_receives_messages()
    {
        var server = await redis.ServerAsync();
        await using var connection = Open(server.Settings());
        await using var subscriber = OpenSubscriber(server.Settings());
        var channel = redis.Name();
        var inboxes = Enumerable.Range(0, 50).Select(_ => new Inbox()).ToList();
        var calls = new List<Task>();
        foreach (var inbox in inboxes)
        {
            subscriber.Unsubscribe(RedisChannel.Literal(channel));
            calls.Add(subscriber.SubscribeAsync(RedisChannel.Literal(channel), inbox.Receive, inbox.Restored, Cancel));
        }
        await Task.WhenAll(calls).WaitAsync(Limit);

        Assert.Equal("1", await AskAsync(connection, "PUBLISH", channel, "a"));
        Assert.Equal($"{channel} a", await inboxes[^1].NextAsync());
        Assert.All(inboxes[..^1], inbox => Assert.Equal(0, inbox.Count));
        Assert.All(inboxes, inbox => Assert.Equal(0, inbox.Restorations));
    }

    [Fact]
    public async Task A_server_that_hangs_is_disconnected_and_subscriptions_are_restored()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        var log = new LogLines();
        await using var subscriber = OpenSubscriber(server.Settings() with { PingSeconds = 0.2, RequestTimeoutSeconds = 0.4 }, log);
        var inbox = new Inbox();
        await subscriber.SubscribeAsync(RedisChannel.Literal("a"), inbox.Receive, inbox.Restored, Cancel);

        await server.FreezeAsync();
        var late = new Inbox();
        var fault = await FaultOf(() => subscriber.SubscribeAsync(RedisChannel.Literal("b"), late.Receive, late.Restored, Cancel));
        Assert.Equal((RedisFault.Timeout, true), (fault.Fault, fault.IsTransient));
        await Wait.UntilAsync(() => log.Lines.Any(line => line.StartsWith("1140", StringComparison.Ordinal)));
        await server.ThawAsync();

        await Wait.UntilAsync(() => inbox.Restorations == 1 && late.Restorations == 1);
    }

    [Fact]
    public async Task Disposal_ends_calls_that_wait_for_a_subscription()
    {
        RedisFixture.SkipWithout();
        await using var server = await RedisServer.StartOwnAsync();
        await server.KillAsync();
        var subscriber = OpenSubscriber(server.Settings() with { RequestTimeoutSeconds = 60 });
        var waiting = subscriber.SubscribeAsync(RedisChannel.Literal("a"), _ => { }, () => { }, Cancel);
        var former = subscriber.SubscribeAsync(RedisChannel.Literal("b"), _ => { }, () => { }, Cancel);
        subscriber.Unsubscribe(RedisChannel.Literal("b"));
        await former.WaitAsync(Limit);
        await subscriber.DisposeAsync();

        Assert.Equal(RedisFault.Closed, (await FaultOf(() => waiting)).Fault);
    }

    [Fact]
    public async Task A_large_message_is_received_complete()
    {
        var server = await redis.ServerAsync();
        await using var connection = Open(server.Settings());
        await using var subscriber = OpenSubscriber(server.Settings());
        var (channel, inbox, text) = (redis.Name(), new Inbox(), new string('x', 10 * 1024 * 1024));
        await subscriber.SubscribeAsync(RedisChannel.Literal(channel), inbox.Receive, inbox.Restored, Cancel);
        await AskAsync(connection, "PUBLISH", channel, text);

        Assert.Equal($"{channel} {text}", await inbox.NextAsync());
    }

    private sealed class Inbox
    {
        private readonly Channel<string> _messages = Channel.CreateUnbounded<string>();
        private int _restorations;

        public int Restorations => Volatile.Read(ref _restorations);

        public int Count => _messages.Reader.Count;

        public void Receive(ChannelMessage message) => _messages.Writer.TryWrite($"{message.Channel} {message.Message}");

        public void Restored() => Interlocked.Increment(ref _restorations);

        public Task<string> NextAsync() => _messages.Reader.ReadAsync(Cancel).AsTask().WaitAsync(Limit);
    }
}
