using System.Text;
using AgentExecutor.Adapters.Nats.Protocol;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Nats;

public sealed class JetStreamTests(NatsFixture nats) : NatsTest
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task Creates_finds_changes_purges_and_deletes_a_stream()
    {
        await using var connection = Open(await nats.ServerAsync());
        var (stream, name) = (new JetStream(connection), nats.Name());
        Assert.Null(await stream.FindStreamAsync(name, Cancellation));

        var config = new StreamConfig { Name = name, Subjects = [$"{name}.>"], MaxAge = TimeSpan.FromHours(24), DuplicateWindow = TimeSpan.FromMinutes(1) };
        await stream.CreateStreamAsync(config, Cancellation);
        await stream.CreateStreamAsync(config, Cancellation); // again is no fault
        var found = await stream.FindStreamAsync(name, Cancellation);
        Assert.Equal((TimeSpan.FromHours(24), TimeSpan.FromMinutes(1)), (found!.Config.MaxAge, found.Config.DuplicateWindow));
        Assert.Contains("deny_delete", found.Config.Other!.Keys);

        var changed = await stream.UpdateStreamAsync(found.Config with { MaxMsgs = 5, Subjects = [$"{name}.>", $"{name}-too"] }, Cancellation);
        Assert.Equal((5, 2, TimeSpan.FromHours(24)), (changed.Config.MaxMsgs, changed.Config.Subjects!.Count, changed.Config.MaxAge));

        for (var number = 0; number < 3; number++)
        {
            await stream.PublishAsync($"{name}.a", Bytes("x"), null, PublishExpectations.None, Cancellation);
        }
        var state = (await stream.FindStreamAsync(name, Cancellation))!.State;
        Assert.Equal((3, 1UL, 3UL), (state.Messages, state.FirstSequence, state.LastSequence));
        Assert.True(state.Bytes > 0 && state.FirstTimestamp > DateTimeOffset.UnixEpoch);
        Assert.Equal(3, await stream.PurgeStreamAsync(name, null, Cancellation));
        Assert.True(await stream.DeleteStreamAsync(name, Cancellation));
        Assert.False(await stream.DeleteStreamAsync(name, Cancellation));
    }

    [Fact]
    public async Task A_refusal_says_what_and_whether_to_try_again()
    {
        var (connection, stream, name) = await StreamAsync();
        await using var _ = connection;

        var fault = await Assert.ThrowsAsync<JetStreamException>(() => stream.CreateStreamAsync(new StreamConfig { Name = name, Subjects = ["other"] }, Cancellation));

        Assert.Equal((400, JetStreamErrors.StreamNameInUse, false), (fault.Code, fault.ErrorCode, fault.IsTransient));
        Assert.NotEmpty(fault.Description);
    }

    [Fact]
    public async Task Reads_and_deletes_single_messages()
    {
        var (connection, stream, name) = await StreamAsync();
        await using var _ = connection;
        var headers = new NatsHeaders();
        headers.Add("ce-id", "7");
        await stream.PublishAsync($"{name}.a", Bytes("one"), headers, PublishExpectations.None, Cancellation);
        await stream.PublishAsync($"{name}.b", Bytes("two"), null, PublishExpectations.None, Cancellation);
        await stream.PublishAsync($"{name}.a", default, null, PublishExpectations.None, Cancellation);

        var first = (await stream.GetMessageAsync(name, 1, Cancellation))!;
        Assert.Equal(($"{name}.a", 1UL, "one", "7"), (first.Subject, first.Sequence, Encoding.UTF8.GetString(first.Payload.Span), first.Headers["ce-id"]));
        Assert.Equal(3UL, (await stream.GetLastMessageAsync(name, $"{name}.a", Cancellation))!.Sequence);
        Assert.Null(await stream.GetLastMessageAsync(name, $"{name}.none", Cancellation));
        Assert.True(await stream.DeleteMessageAsync(name, 1, Cancellation));
        Assert.False(await stream.DeleteMessageAsync(name, 1, Cancellation));
        Assert.Null(await stream.GetMessageAsync(name, 1, Cancellation));
    }

    [Fact]
    public async Task The_same_message_id_is_stored_once()
    {
        var (connection, stream, name) = await StreamAsync();
        await using var _ = connection;
        var once = new PublishExpectations { MsgId = "1", ExpectedStream = name };

        Assert.Equal(new PublishAck(name, 1), await stream.PublishAsync($"{name}.a", Bytes("x"), null, once, Cancellation));
        Assert.Equal(new PublishAck(name, 1, IsDuplicate: true), await stream.PublishAsync($"{name}.a", Bytes("x"), null, once, Cancellation));
    }

    [Fact]
    public async Task What_was_expected_and_is_not_so_refuses_the_message()
    {
        var (connection, stream, name) = await StreamAsync();
        await using var _ = connection;
        await stream.PublishAsync($"{name}.a", default, null, new PublishExpectations { ExpectedLastSequence = 0, MsgId = "first" }, Cancellation);
        await stream.PublishAsync($"{name}.b", default, null, new PublishExpectations { ExpectedLastSubjectSequence = 0, ExpectedLastMsgId = "first" }, Cancellation);

        Assert.Equal(JetStreamErrors.WrongLastSequence, await RefusalAsync(stream, $"{name}.a", new() { ExpectedLastSequence = 1 }));
        Assert.Equal(JetStreamErrors.WrongLastSequence, await RefusalAsync(stream, $"{name}.a", new() { ExpectedLastSubjectSequence = 0 }));
        Assert.Equal(JetStreamErrors.WrongLastMessageId, await RefusalAsync(stream, $"{name}.a", new() { ExpectedLastMsgId = "other" }));
        Assert.Equal(2UL, (await stream.FindStreamAsync(name, Cancellation))!.State.LastSequence);
    }

    [Fact]
    public async Task Many_publishes_under_way_are_stored_in_order()
    {
        var (connection, stream, name) = await StreamAsync();
        await using var _ = connection;

        var acks = await Task.WhenAll(Enumerable.Range(0, 2000).Select(number => stream.PublishAsync($"{name}.a", Bytes($"{number}"), null, PublishExpectations.None, Cancellation)));

        Assert.Equal(Enumerable.Range(1, 2000).Select(number => (ulong)number), acks.Select(ack => ack.Sequence));
    }

    [Fact]
    public async Task Creates_changes_and_deletes_a_consumer()
    {
        var (connection, stream, name) = await StreamAsync();
        await using var _ = connection;
        Assert.Null(await stream.FindConsumerAsync(name, "c", Cancellation));

        await stream.CreateConsumerAsync(name, new ConsumerConfig { DurableName = "c", AckWait = Second, MaxDeliver = 3 }, Cancellation);
        var found = (await stream.FindConsumerAsync(name, "c", Cancellation))!;
        await stream.CreateConsumerAsync(name, found.Config with { AckWait = 2 * Second }, Cancellation);
        found = (await stream.FindConsumerAsync(name, "c", Cancellation))!;

        Assert.Equal((2 * Second, 3, name, "c"), (found.Config.AckWait, found.Config.MaxDeliver, found.Stream, found.Name));
        Assert.True(await stream.DeleteConsumerAsync(name, "c", Cancellation));
        Assert.False(await stream.DeleteConsumerAsync(name, "c", Cancellation));
    }

    [Fact]
    public async Task Delivers_with_metadata_and_counts_what_is_outstanding()
    {
        var (connection, stream, name) = await StreamAsync(messages: 5);
        await using var _ = connection;
        using var puller = await ConsumerAsync(stream, name);
        await AskAsync(puller, 3, 5 * Second);
        await AskAsync(puller, 3, 5 * Second);

        var messages = await ReadAsync(puller, 5);

        Assert.Equal(["0", "1", "2", "3", "4"], messages.Select(Text));
        Assert.Equal((name, "c", 1, 5UL, 5UL, 0), Parts(messages[4].Metadata));
        Assert.InRange(messages[4].Metadata.Timestamp, TimeProvider.System.GetUtcNow() - TimeSpan.FromMinutes(1), TimeProvider.System.GetUtcNow() + Second);
        Assert.Equal((1, 0), (puller.Outstanding, puller.Buffered));
        foreach (var message in messages)
        {
            await message.AckAndConfirmAsync(Cancellation);
        }
        var info = (await stream.FindConsumerAsync(name, "c", Cancellation))!;
        Assert.Equal((0, 0, 5UL), (info.AckPending, info.Pending, info.AckFloor!.Stream));
    }

    [Fact]
    public async Task A_pull_that_expires_leaves_nothing_outstanding()
    {
        var (connection, stream, name) = await StreamAsync(messages: 1);
        await using var _ = connection;
        using var puller = await ConsumerAsync(stream, name);
        await AskAsync(puller, 4, TimeSpan.FromMilliseconds(300));
        await AskAsync(puller, 2, 2 * Second);

        Assert.Single(await ReadAsync(puller, 1));
        await Eventually(() => Task.FromResult(puller.Outstanding <= 2));
        Assert.Empty(await puller.ReadBatchAsync(10, Cancellation).WaitAsync(Limit));
        Assert.Equal(0, puller.Outstanding);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task A_pull_without_waiting_takes_what_is_there(int messages)
    {
        var (connection, stream, name) = await StreamAsync(messages);
        await using var _ = connection;
        using var puller = await ConsumerAsync(stream, name);
        await puller.RequestAsync(10, 10 * Second, TimeSpan.Zero, noWait: true, null, Cancellation);

        Assert.Equal(messages, (await ReadAsync(puller, messages)).Count);
        Assert.Empty(await puller.ReadBatchAsync(10, Cancellation).WaitAsync(Limit / 4));
    }

    [Fact]
    public async Task Heartbeats_keep_a_pull_alive_and_their_absence_ends_it()
    {
        NatsFixture.SkipWithout();
        await using var server = await NatsServer.StartOwnAsync();
        await using var connection = Open(server.Settings() with { PingSeconds = 60 });
        var stream = new JetStream(connection);
        await stream.CreateStreamAsync(new StreamConfig { Name = "s", Subjects = ["s.>"] }, Cancellation);
        using var puller = await ConsumerAsync(stream, "s");
        await puller.RequestAsync(1, TimeSpan.FromMinutes(1), TimeSpan.FromMilliseconds(200), noWait: false, null, Cancellation);
        var reading = puller.ReadBatchAsync(1, Cancellation);
        Assert.NotSame(reading, await Task.WhenAny(reading, Task.Delay(Second, Cancellation)));

        await server.FreezeAsync();
        var fault = await FaultOf(() => reading);
        Assert.Equal((NatsFault.NoResponders, true, 0), (fault.Fault, fault.IsTransient, puller.Outstanding));
        await server.ThawAsync();
    }

    [Fact]
    public async Task A_pull_takes_no_more_bytes_than_it_asked_for()
    {
        var (connection, stream, name) = await StreamAsync(messages: 5);
        await using var _ = connection;
        using var puller = await ConsumerAsync(stream, name);
        await puller.RequestAsync(5, 5 * Second, TimeSpan.Zero, noWait: false, 200, Cancellation);

        Assert.InRange((await ReadUntilEmptyAsync(puller)).Count, 1, 4);
    }

    [Fact]
    public async Task A_deleted_consumer_is_told_and_can_be_made_anew()
    {
        var (connection, stream, name) = await StreamAsync();
        await using var _ = connection;
        using var puller = await ConsumerAsync(stream, name);
        await AskAsync(puller, 3, TimeSpan.FromMinutes(1));
        await Eventually(async () => (await stream.FindConsumerAsync(name, "c", Cancellation))!.Waiting == 1);
        await stream.DeleteConsumerAsync(name, "c", Cancellation);

        Assert.Equal(NatsFault.ConsumerGone, (await FaultOf(() => puller.ReadBatchAsync(1, Cancellation))).Fault);
        await puller.RequestAsync(3, TimeSpan.FromMinutes(1), TimeSpan.FromMilliseconds(300), noWait: false, null, Cancellation);
        Assert.Equal(NatsFault.NoResponders, (await FaultOf(() => puller.ReadBatchAsync(1, Cancellation))).Fault);

        await stream.CreateConsumerAsync(name, new ConsumerConfig { DurableName = "c" }, Cancellation);
        await stream.PublishAsync($"{name}.a", default, null, PublishExpectations.None, Cancellation);
        await AskAsync(puller, 3, TimeSpan.FromMinutes(1));
        Assert.Single(await ReadAsync(puller, 1));
    }

    [Fact]
    public async Task A_refused_pull_comes_back_empty_and_not_at_once()
    {
        var (connection, stream, name) = await StreamAsync();
        await using var _ = connection;
        using var puller = await ConsumerAsync(stream, name, new ConsumerConfig { DurableName = "c", MaxWaiting = 1 });
        using var other = stream.Pull(name, "c");
        await AskAsync(other, 1, TimeSpan.FromMinutes(1));
        await Eventually(async () => (await stream.FindConsumerAsync(name, "c", Cancellation))!.Waiting == 1);

        await AskAsync(puller, 1, TimeSpan.FromMinutes(1));
        Assert.Empty(await puller.ReadBatchAsync(1, Cancellation).WaitAsync(Limit));
        Assert.Equal((0, 1), (puller.Outstanding, other.Outstanding));
    }

    [Fact]
    public async Task Nak_brings_a_message_back_at_once_or_after_its_delay()
    {
        var (connection, stream, name) = await StreamAsync(messages: 2);
        await using var _ = connection;
        using var puller = await ConsumerAsync(stream, name, new ConsumerConfig { DurableName = "c", AckWait = TimeSpan.FromMinutes(1) });
        await AskAsync(puller, 4, TimeSpan.FromMinutes(1));
        var messages = await ReadAsync(puller, 2);
        var start = TimeProvider.System.GetTimestamp();
        await messages[0].NakAsync(Second, Cancellation);
        await messages[1].NakAsync(TimeSpan.Zero, Cancellation);

        var again = await ReadAsync(puller, 2);

        Assert.Equal([(2UL, 2L), (1UL, 2L)], again.Select(it => (it.Metadata.StreamSequence, it.Metadata.Delivered)));
        Assert.True(TimeProvider.System.GetElapsedTime(start) > 0.9 * Second);
    }

    [Fact]
    public async Task In_progress_keeps_a_message_and_silence_gives_it_to_another()
    {
        var (connection, stream, name) = await StreamAsync(messages: 1);
        await using var _ = connection;
        using var puller = await ConsumerAsync(stream, name, new ConsumerConfig { DurableName = "c", AckWait = TimeSpan.FromMilliseconds(600) });
        await AskAsync(puller, 2, TimeSpan.FromMinutes(1));
        var message = (await ReadAsync(puller, 1))[0];
        using (var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(150), TimeProvider.System))
        {
            for (var beat = 0; beat < 10 && await timer.WaitForNextTickAsync(Cancellation); beat++)
            {
                await message.InProgressAsync(Cancellation);
            }
        }
        Assert.Equal(0, puller.Buffered);

        Assert.Equal(2, (await ReadAsync(puller, 1))[0].Metadata.Delivered);
    }

    [Fact]
    public async Task Term_ends_a_message_for_good()
    {
        var (connection, stream, name) = await StreamAsync(messages: 1);
        await using var _ = connection;
        using var puller = await ConsumerAsync(stream, name, new ConsumerConfig { DurableName = "c", AckWait = TimeSpan.FromMilliseconds(300) });
        await AskAsync(puller, 1, Second);
        await (await ReadAsync(puller, 1))[0].TermAsync("no such agent", Cancellation);

        await Eventually(async () => (await stream.FindConsumerAsync(name, "c", Cancellation))!.AckPending == 0);
        await AskAsync(puller, 1, Second);
        Assert.Empty(await puller.ReadBatchAsync(1, Cancellation).WaitAsync(Limit));
    }

    [Fact]
    public async Task A_passing_consumer_starts_where_it_is_told()
    {
        var (connection, stream, name) = await StreamAsync(messages: 5);
        await using var _ = connection;
        var third = (await stream.GetMessageAsync(name, 3, Cancellation))!;
        foreach (var config in new[]
        {
            new ConsumerConfig { DeliverPolicy = DeliverPolicy.ByStartSequence, StartSequence = 3 },
            new ConsumerConfig { DeliverPolicy = DeliverPolicy.ByStartTime, StartTime = third.Timestamp },
        })
        {
            var passing = config with { AckPolicy = AckPolicy.None, HeadersOnly = true, FilterSubject = $"{name}.a", InactiveThreshold = 5 * Second, MemoryStorage = true };
            var consumer = await stream.CreateConsumerAsync(name, passing, Cancellation);
            using var puller = stream.Pull(name, consumer.Name);
            await AskAsync(puller, 3, 5 * Second);

            var messages = await ReadAsync(puller, 3);

            Assert.Equal([3UL, 4UL, 5UL], messages.Select(it => it.Metadata.StreamSequence));
            Assert.Equal(("1", 0), (messages[0].Headers["Nats-Msg-Size"], messages[0].Payload.Length));
        }
    }

    [Fact]
    public async Task Restarts_under_load_lose_nothing_that_was_acknowledged()
    {
        NatsFixture.SkipWithout();
        await using var server = await NatsServer.StartOwnAsync();
        await using var connection = Open(server);
        var stream = new JetStream(connection);
        await stream.CreateStreamAsync(new StreamConfig { Name = "s", Subjects = ["s.>"] }, Cancellation);
        using var puller = await ConsumerAsync(stream, "s", new ConsumerConfig { DurableName = "c", AckWait = Second });
        var load = new PublishLoad(stream, "s.a", TimeSpan.FromSeconds(30));
        var publishing = load.RunAsync(3000, Cancellation);
        var reading = load.ReadAsync(puller, Cancellation);

        foreach (var stop in new[] { server.KillAsync, server.StopAsync })
        {
            var reached = load.Acknowledged + 500;
            await Eventually(() => Task.FromResult(load.Acknowledged >= reached || publishing.IsCompleted));
            await stop();
            await server.StartAgainAsync();
        }
        await publishing.WaitAsync(2 * Limit);
        await reading.WaitAsync(2 * Limit);

        Assert.Equal(3000, (await stream.FindStreamAsync("s", Cancellation))!.State.Messages);
    }

    private static (string, string, long, ulong, ulong, long) Parts(JetStreamMetadata it) => (it.Stream, it.Consumer, it.Delivered, it.StreamSequence, it.ConsumerSequence, it.Pending);

    private static string Text(JetStreamMessage message) => Encoding.UTF8.GetString(message.Payload.Span);

    private static ValueTask AskAsync(JetStreamPuller puller, int batch, TimeSpan expires) => puller.RequestAsync(batch, expires, TimeSpan.Zero, noWait: false, null, Cancellation);

    private static async Task<List<JetStreamMessage>> ReadAsync(JetStreamPuller puller, int count)
    {
        var messages = new List<JetStreamMessage>();
        while (messages.Count < count)
        {
            var batch = await puller.ReadBatchAsync(count - messages.Count, Cancellation).WaitAsync(Limit);
            Assert.NotEmpty(batch);
            messages.AddRange(batch);
        }
        return messages;
    }

    private static async Task<List<JetStreamMessage>> ReadUntilEmptyAsync(JetStreamPuller puller)
    {
        var messages = new List<JetStreamMessage>();
        while (await puller.ReadBatchAsync(100, Cancellation).WaitAsync(Limit) is { Count: > 0 } batch)
        {
            messages.AddRange(batch);
        }
        return messages;
    }

    private static async Task<int> RefusalAsync(JetStream stream, string subject, PublishExpectations expectations) =>
        (await Assert.ThrowsAsync<JetStreamException>(() => stream.PublishAsync(subject, default, null, expectations, Cancellation))).ErrorCode;

    private static async Task<JetStreamPuller> ConsumerAsync(JetStream stream, string name, ConsumerConfig? config = null)
    {
        await stream.CreateConsumerAsync(name, config ?? new ConsumerConfig { DurableName = "c" }, Cancellation);
        return stream.Pull(name, "c");
    }

    private async Task<(NatsConnection Connection, JetStream Stream, string Name)> StreamAsync(int messages = 0)
    {
        var connection = Open(await nats.ServerAsync());
        var (stream, name) = (new JetStream(connection), nats.Name());
        await stream.CreateStreamAsync(new StreamConfig { Name = name, Subjects = [$"{name}.>"], Storage = StreamStorage.Memory }, Cancellation);
        for (var number = 0; number < messages; number++)
        {
            await stream.PublishAsync($"{name}.a", Bytes($"{number}"), null, PublishExpectations.None, Cancellation);
        }
        return (connection, stream, name);
    }
}
