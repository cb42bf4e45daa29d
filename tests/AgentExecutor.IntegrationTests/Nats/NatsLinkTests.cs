using AgentExecutor.Adapters.Nats;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Nats;

public sealed class NatsLinkTests : NatsTest
{
    public NatsLinkTests() => NatsFixture.SkipWithout();

    [Fact]
    public async Task A_missing_server_is_a_transient_fault()
    {
        await using var server = await NatsServer.StartOwnAsync();
        await server.KillAsync();
        await using var bus = OpenBus(server.Settings($"nats://user:hidden@127.0.0.1:{server.Port}"));

        var fault = await Assert.ThrowsAsync<FaultException>(async () =>
            await bus.PublishAsync([new BusMessage("agent.execute.a", default)], Cancellation)
        );
        Assert.DoesNotContain("hidden", fault.ToString(), StringComparison.Ordinal);
        Assert.Equal((FaultCodes.BusUnavailable, true), (fault.Code, fault.IsTransient));

        await server.StartAgainAsync();
        await Retried(async () =>
        {
            await bus.PublishAsync([new BusMessage("agent.execute.a", default)], Cancellation);
            return true;
        });
        Assert.True(bus.IsConnected);
    }

    [Fact]
    public async Task Reconnects_after_the_server_was_killed_and_fails_calls_in_flight()
    {
        await using var server = await NatsServer.StartOwnAsync();
        var log = new LogLines();
        await using var link = Open(server.Settings(), log);
        var downs = 0;
        link.Disconnected += () => downs++;
        await ConnectAsync(link);
        await using var silent = await link.Connection.SubscribeCoreAsync<byte[]>("silent", cancellationToken: Cancellation);
        var underWay = link.UseAsync(
            async cancel => await link.Connection.RequestAsync<byte[], byte[]>("silent", [], cancellationToken: cancel),
            Cancellation
        );
        await silent.Msgs.ReadAsync(Cancellation).AsTask().WaitAsync(Limit);

        await server.KillAsync();
        var fault = Assert.IsType<NatsBusException>(await FaultOf(() => underWay));
        Assert.Equal(NatsBusFault.Unavailable, fault.Fault);
        await server.StartAgainAsync();
        await Retried(async () =>
        {
            await ConnectAsync(link);
            return true;
        });

        await Wait.UntilAsync(() => log.Lines.Count == 4);
        Assert.Equal(1, downs);
        Assert.Equal(["1112", "1110", "1112", "1111"], log.Lines.Select(line => line[..4])); // The outage is logged once, and its end.
    }

    [Fact]
    public async Task A_server_that_hangs_is_disconnected()
    {
        await using var server = await NatsServer.StartOwnAsync();
        await using var link = Open(server.Settings() with { PingSeconds = 0.2 });
        await ConnectAsync(link);

        await server.FreezeAsync();
        await Wait.UntilAsync(() => !link.IsOpen);
        await server.ThawAsync();
        await Wait.UntilAsync(() => link.IsOpen);
    }

    /// <summary>The buffers hold some messages; beyond that a publisher must wait, or memory would grow without a bound.</summary>
    [Fact]
    public async Task Publishers_wait_for_a_server_that_does_not_read()
    {
        await using var server = await NatsServer.StartOwnAsync();
        await using var link = Open(server.Settings() with { PingSeconds = 60, RequestTimeoutSeconds = 60 });
        await ConnectAsync(link);
        await server.FreezeAsync();
        var (payload, sent) = (new byte[100_000], 0);
        async Task PublishAsync()
        {
            for (; sent < 1000; sent++)
            {
                await link.Connection.PublishAsync("a", payload, cancellationToken: Cancellation);
            }
        }
        var publishing = PublishAsync();
        await Wait.UntilAsync(() => sent >= 10);
        Assert.NotSame(publishing, await Task.WhenAny(publishing, Task.Delay(TimeSpan.FromSeconds(1), Cancellation)));
        Assert.InRange(sent, 10, 300); // What the buffers hold, far below all of it.

        await server.ThawAsync();
        await publishing.WaitAsync(Limit);
    }

    [Fact]
    public async Task A_frozen_server_fails_the_publishers_within_the_request_timeout()
    {
        await using var server = await NatsServer.StartOwnAsync();
        await using var bus = OpenBus(server.Settings() with { PingSeconds = 60, RequestTimeoutSeconds = 1 });
        await bus.PublishAsync([new BusMessage("agent.execute.a", default)], Cancellation);

        await server.FreezeAsync();
        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            bus.PublishAsync([new BusMessage("agent.execute.a", default)], Cancellation).AsTask().WaitAsync(Limit)
        );
        Assert.Equal((FaultCodes.BusUnavailable, true), (fault.Code, fault.IsTransient));

        await server.ThawAsync();
        await Retried(async () =>
        {
            await bus.PublishAsync([new BusMessage("agent.execute.a", default)], Cancellation);
            return true;
        });
    }

    [Fact]
    public async Task A_call_waits_for_a_connection_no_longer_than_the_request_timeout()
    {
        await using var server = await NatsServer.StartOwnAsync();
        await using var link = Open(server.Settings() with { RequestTimeoutSeconds = 0.5 });
        await ConnectAsync(link);
        await server.KillAsync();
        await Wait.UntilAsync(() => !link.IsOpen);

        var fault = Assert.IsType<NatsBusException>(await FaultOf(() => ConnectAsync(link)));

        Assert.Equal("no connection within 0.5 s", fault.Message);
    }

    [Fact]
    public async Task A_message_that_is_too_large_is_refused_and_the_next_is_sent()
    {
        await using var server = await NatsServer.StartOwnAsync();
        await using var bus = OpenBus(server);
        await bus.PublishAsync([new BusMessage("agent.execute.a", default)], Cancellation);

        var fault = await Assert.ThrowsAsync<FaultException>(async () =>
            await bus.PublishAsync([new BusMessage("agent.execute.a", new byte[bus.MaxBodyBytes * 2])], Cancellation)
        );

        Assert.Equal((FaultCodes.MessageTooLarge, false), (fault.Code, fault.IsTransient));
        await bus.PublishAsync([new BusMessage("agent.execute.a", new byte[bus.MaxBodyBytes])], Cancellation);
    }

    [Fact]
    public async Task Restarts_under_load_lose_nothing_that_was_acknowledged()
    {
        await using var server = await NatsServer.StartOwnAsync();
        await using var bus = OpenBus(server, new BusSettings { AckWaitSeconds = 1 });
        var load = new PublishLoad(bus, TimeSpan.FromSeconds(30));
        var publishing = load.RunAsync(3000, Cancellation);
        var reading = load.ReadAsync(Cancellation);

        foreach (var stop in new[] { server.KillAsync, server.StopAsync })
        {
            var reached = load.Acknowledged + 500;
            await Wait.UntilAsync(() => load.Acknowledged >= reached || publishing.IsCompleted);
            await stop();
            await server.StartAgainAsync();
        }
        await publishing.WaitAsync(2 * Limit);
        await reading.WaitAsync(2 * Limit);

        await using var admin = new JetStreamAdmin(server);
        Assert.Equal(3000, (await admin.FindStreamAsync("AGENT_EXECUTION", Cancellation))!.State.Messages);
    }
}
