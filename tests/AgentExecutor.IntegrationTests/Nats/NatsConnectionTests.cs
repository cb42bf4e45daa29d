using AgentExecutor.Adapters.Nats.Protocol;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Nats;

public sealed class NatsConnectionTests(NatsFixture nats) : NatsTest
{
    [Fact]
    public async Task Publishes_and_receives_with_headers_and_reply()
    {
        await using var connection = Open(await nats.ServerAsync());
        var subject = nats.Name();
        using var subscription = connection.Subscribe($"{subject}.*", null, 10);
        var headers = new NatsHeaders();
        headers.Add("X", "1");
        headers.Add("X", "2");

        await connection.PublishAsync($"{subject}.a", Bytes("hello"), headers, "reply.here", Cancellation);
        await connection.PublishAsync($"{subject}.b", default, null, null, Cancellation);

        var first = await NextAsync(subscription);
        Assert.Equal(($"{subject}.a", "hello", "reply.here"), (first.Subject, Text(first), first.ReplyTo));
        Assert.Equal(["1", "2"], first.Headers.All("X"));
        Assert.Equal($"{subject}.b", (await NextAsync(subscription)).Subject);
    }

    [Fact]
    public async Task Keeps_the_order_of_what_is_published()
    {
        await using var connection = Open(await nats.ServerAsync());
        var subject = nats.Name();
        using var subscription = connection.Subscribe(subject, null, 100_000);
        for (var number = 0; number < 50_000; number++)
        {
            await connection.PublishAsync(subject, BitConverter.GetBytes(number), null, null, Cancellation);
        }
        for (var number = 0; number < 50_000; number++)
        {
            Assert.Equal(number, BitConverter.ToInt32((await NextAsync(subscription)).Payload.Span));
        }
        Assert.Equal(0, subscription.Dropped);
    }

    [Fact]
    public async Task A_queue_group_gets_each_message_once()
    {
        await using var connection = Open(await nats.ServerAsync());
        var subject = nats.Name();
        using var one = connection.Subscribe(subject, "group", 100);
        using var other = connection.Subscribe(subject, "group", 100);
        for (var number = 0; number < 50; number++)
        {
            await connection.PublishAsync(subject, default, null, null, Cancellation);
        }
        await connection.FlushAsync(Cancellation);

        Assert.Equal(50, Count(one) + Count(other));
    }

    [Fact]
    public async Task Answers_find_their_requests()
    {
        var server = await nats.ServerAsync();
        await using var connection = Open(server);
        await using var service = Open(server);
        var subject = nats.Name();
        using var requests = service.Subscribe(subject, null, 1000);
        var serving = EchoAsync(service, requests, 200);
        await service.FlushAsync(Cancellation);

        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(number => connection.RequestAsync(subject, Bytes($"{number}"), null, null, Cancellation)));

        Assert.Equal(Enumerable.Range(0, 200).Select(number => $"{number}"), answers.Select(Text));
        await serving.WaitAsync(Limit);
    }

    [Fact]
    public async Task A_request_that_nobody_listens_to_fails_at_once()
    {
        await using var connection = Open(await nats.ServerAsync());

        var fault = await FaultOf(() => connection.RequestAsync(nats.Name(), default, null, TimeSpan.FromMinutes(1), Cancellation));

        Assert.Equal((NatsFault.NoResponders, true), (fault.Fault, fault.IsTransient));
    }

    [Fact]
    public async Task A_request_without_an_answer_ends_at_its_limit()
    {
        await using var connection = Open(await nats.ServerAsync());
        var subject = nats.Name();
        using var silent = connection.Subscribe(subject, null, 10);

        var fault = await FaultOf(() => connection.RequestAsync(subject, default, null, TimeSpan.FromMilliseconds(100), Cancellation));

        Assert.Equal((NatsFault.Timeout, true), (fault.Fault, fault.IsTransient));
    }

    [Fact]
    public async Task A_message_that_is_too_large_is_not_sent()
    {
        await using var connection = Open(await nats.ServerAsync());
        await connection.ConnectAsync(Cancellation);

        var fault = await FaultOf(() => connection.PublishAsync(nats.Name(), new byte[connection.Info!.MaxPayload + 1], null, null, Cancellation).AsTask());

        Assert.Equal((NatsFault.PayloadTooLarge, false), (fault.Fault, fault.IsTransient));
        await connection.FlushAsync(Cancellation);
    }

    [Fact]
    public async Task The_largest_message_comes_whole()
    {
        await using var connection = Open(await nats.ServerAsync());
        await connection.ConnectAsync(Cancellation);
        var subject = nats.Name();
        using var subscription = connection.Subscribe(subject, null, 10);
        var payload = new byte[connection.Info!.MaxPayload];
        new Random(1).NextBytes(payload);
        await connection.PublishAsync(subject, payload, null, null, Cancellation);

        Assert.True((await NextAsync(subscription)).Payload.Span.SequenceEqual(payload));
    }

    [Fact]
    public async Task A_slow_reader_loses_messages_and_is_counted_and_holds_up_nobody()
    {
        await using var connection = Open(await nats.ServerAsync());
        var subject = nats.Name();
        using var slow = connection.Subscribe(subject, null, 10);
        using var quick = connection.Subscribe(subject, null, 1000);
        for (var number = 0; number < 100; number++)
        {
            await connection.PublishAsync(subject, default, null, null, Cancellation);
        }
        await connection.FlushAsync(Cancellation);

        Assert.Equal((90, 0), (slow.Dropped, quick.Dropped));
        Assert.Equal((10, 100), (Count(slow), Count(quick)));
    }

    [Fact]
    public async Task Nothing_comes_after_a_subscription_was_closed()
    {
        await using var connection = Open(await nats.ServerAsync());
        var subject = nats.Name();
        var subscription = connection.Subscribe(subject, null, 10);
        await connection.FlushAsync(Cancellation);
        subscription.Dispose();
        await connection.PublishAsync(subject, default, null, null, Cancellation);
        await connection.FlushAsync(Cancellation);

        Assert.Equal(0, Count(subscription));
        Assert.Equal(NatsFault.Closed, (await FaultOf(() => NextAsync(subscription))).Fault);
    }

    [Fact]
    public async Task Draining_keeps_what_came_and_sends_what_waits()
    {
        var server = await nats.ServerAsync();
        await using var other = Open(server);
        var connection = Open(server);
        var subject = nats.Name();
        using var elsewhere = other.Subscribe(subject, null, 1000);
        await other.FlushAsync(Cancellation);
        var subscription = connection.Subscribe(subject, null, 1000);
        for (var number = 0; number < 500; number++)
        {
            await connection.PublishAsync(subject, default, null, null, Cancellation);
        }

        await connection.DrainAsync(Cancellation);
        await other.FlushAsync(Cancellation);

        Assert.Equal((500, 500), (Count(subscription), Count(elsewhere)));
        Assert.Equal(NatsFault.Closed, (await FaultOf(() => connection.PublishAsync(subject, default, null, null, Cancellation).AsTask())).Fault);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_a_transient_fault()
    {
        NatsFixture.SkipWithout();
        await using var server = await NatsServer.StartOwnAsync();
        await server.KillAsync();
        await using var connection = Open(server.Settings($"nats://user:hidden@127.0.0.1:{server.Port}"));

        var fault = await FaultOf(() => connection.ConnectAsync(Cancellation));
        Assert.DoesNotContain("hidden", fault.ToString(), StringComparison.Ordinal);
        Assert.Equal((NatsFault.Unreachable, true), (fault.Fault, fault.IsTransient));
        Assert.True((await FaultOf(() => connection.PublishAsync("a", default, null, null, Cancellation).AsTask())).IsTransient);

        await server.StartAgainAsync();
        await Eventually(() => Task.FromResult(connection.IsConnected));
    }

    [Fact]
    public async Task Comes_back_after_a_killed_server_with_its_subscriptions()
    {
        NatsFixture.SkipWithout();
        await using var server = await NatsServer.StartOwnAsync();
        var log = new LogLines();
        await using var connection = new NatsConnection(server.Settings(), TimeProvider.System, log);
        var (ups, downs) = (0, 0);
        connection.Connected += () => ups++;
        connection.Disconnected += _ => downs++;
        using var subscription = connection.Subscribe("a", null, 10);
        using var silent = connection.Subscribe("silent", null, 10);
        await connection.FlushAsync(Cancellation);
        var underWay = connection.RequestAsync("silent", default, null, TimeSpan.FromMinutes(1), Cancellation);
        await NextAsync(silent);

        await server.KillAsync();
        var fault = await FaultOf(() => underWay);
        Assert.Equal((NatsFault.Disconnected, true), (fault.Fault, fault.IsTransient));
        await server.StartAgainAsync();
        await Retried(async () => { await connection.FlushAsync(Cancellation); return true; });
        await connection.PublishAsync("a", Bytes("again"), null, null, Cancellation);

        Assert.Equal("again", Text(await NextAsync(subscription)));
        Assert.Equal((2, 1), (ups, downs));
        Assert.Equal(["1112", "1110", "1112", "1111"], log.Lines.Select(line => line[..4])); // the outage is told once, and its end
    }

    [Fact]
    public async Task A_server_that_hangs_is_left()
    {
        NatsFixture.SkipWithout();
        await using var server = await NatsServer.StartOwnAsync();
        await using var connection = Open(server.Settings() with { PingSeconds = 0.2 });
        await connection.ConnectAsync(Cancellation);

        await server.FreezeAsync();
        await Eventually(() => Task.FromResult(!connection.IsConnected));
        await server.ThawAsync();
        await Eventually(() => Task.FromResult(connection.IsConnected));
    }

    [Fact]
    public async Task Publishers_wait_for_a_server_that_does_not_read()
    {
        NatsFixture.SkipWithout();
        await using var server = await NatsServer.StartOwnAsync();
        await using var connection = Open(server.Settings() with { PingSeconds = 60 });
        await connection.ConnectAsync(Cancellation);
        await server.FreezeAsync();
        var (payload, sent) = (new byte[100_000], 0);
        async Task PublishAsync()
        {
            for (; sent < 1000; sent++)
            {
                await connection.PublishAsync("a", payload, null, null, Cancellation);
            }
        }
        var publishing = PublishAsync();
        Assert.False(publishing.IsCompleted);
        Assert.InRange(sent, 10, 300); // what the buffers hold, far below all of it

        await server.ThawAsync();
        await publishing.WaitAsync(Limit);
    }

    private static int Count(NatsSubscription subscription)
    {
        var count = 0;
        for (; subscription.TryRead(out _); count++)
        {
        }
        return count;
    }

    private static async Task EchoAsync(NatsConnection service, NatsSubscription requests, int count)
    {
        await foreach (var request in requests)
        {
            await service.PublishAsync(request.ReplyTo!, request.Payload, null, null, Cancellation);
            if (--count == 0)
            {
                return;
            }
        }
    }
}
