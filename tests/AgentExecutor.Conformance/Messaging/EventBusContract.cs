using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using Xunit;

namespace AgentExecutor.Conformance.Messaging;

/// <summary>The contract of <see cref="IEventBus"/>.</summary>
public abstract partial class EventBusContract : IAsyncLifetime
{
    /// <summary>Long enough to publish and read, but short enough to wait for.</summary>
    protected static readonly BusSettings Settings = new() { AckWaitSeconds = 1.5 };

    private const int Many = 1_000;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    protected IEventBus Bus { get; private set; } = null!;

    /// <summary>Creates a bus without messages that has these <see cref="Settings"/>.</summary>
    protected abstract ValueTask<IEventBus> MakeAsync();

    public async ValueTask InitializeAsync() => Bus = await MakeAsync();

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Bus.DisposeAsync();
    }

    [Fact]
    public async Task A_job_is_delivered_unchanged()
    {
        byte[] body = [0, 1, 2, 255];
        await Bus.PublishAsync(
            [
                new BusMessage("agent.execute.demo", body)
                {
                    Headers = [KeyValuePair.Create("ce-id", "1"), KeyValuePair.Create("Content-Type", "application/json")],
                },
            ],
            Cancel
        );

        var delivery = await FetchOneAsync();

        Assert.Equal(("agent.execute.demo", BusStream.Jobs, 1), (delivery.Message.Subject, delivery.Message.Stream, delivery.Attempt));
        Assert.Equal(body, delivery.Message.Body.ToArray());
        Assert.Equal(
            ("1", "application/json", null),
            (delivery.Message.Header("CE-ID"), delivery.Message.Header("content-type"), delivery.Message.Header("none"))
        );
        Assert.True(delivery.Message.Time > TimeProvider.System.GetUtcNow().AddMinutes(-5));
    }

    [Fact]
    public async Task An_acknowledged_message_is_not_redelivered()
    {
        await PublishAsync("a", "b", "c");
        var first = await FetchAsync(3);
        await first[0].AckAsync(Cancel);
        await first[1].TermAsync("it cannot be read", Cancel);
        await first[2].AckAsync(Cancel);

        Assert.Empty(await Bus.FetchAsync(3, TimeSpan.FromSeconds(2.5), Cancel));
    }

    [Fact]
    public async Task An_unacknowledged_message_is_redelivered()
    {
        await PublishAsync("a");
        var first = await FetchOneAsync();

        var second = await FetchOneAsync();

        Assert.Equal((1, 2), (first.Attempt, second.Attempt));
        Assert.Equal(first.Message.Sequence, second.Message.Sequence);
    }

    [Fact]
    public async Task A_message_in_progress_is_not_redelivered()
    {
        await PublishAsync("a");
        var first = await FetchOneAsync();
        for (var i = 0; i < 6; i++)
        {
            await first.InProgressAsync(Cancel);
            Assert.Empty(await Bus.FetchAsync(1, TimeSpan.FromMilliseconds(500), Cancel));
        }
        await first.AckAsync(Cancel);
    }

    [Fact]
    public async Task A_thousand_jobs_are_renewed_in_a_fraction_of_the_ack_wait_and_acknowledged_together()
    {
        await PublishAsync([.. Enumerable.Range(0, Many).Select(i => $"{i}")]);
        ImmutableArray<IDelivery> held = [];
        while (held.Length < Many)
        {
            held = held.AddRange(await Bus.FetchAsync(Many - held.Length, Limit, Cancel));
            await Bus.InProgressAsync(held, Cancel);
        }
        var quickest = TimeSpan.MaxValue;
        for (var i = 0; i < 8; i++)
        {
            var started = TimeProvider.System.GetTimestamp();
            await Bus.InProgressAsync(held, Cancel);
            var elapsed = TimeProvider.System.GetElapsedTime(started);
            quickest = elapsed < quickest ? elapsed : quickest;
            Assert.Empty(await Bus.FetchAsync(1, Bus.AckWait / 5, Cancel));
        }
        Assert.True(quickest < Bus.AckWait / 5, $"renewing took {quickest.TotalMilliseconds} ms");

        await Bus.AckAsync(held, Cancel);

        Assert.Empty(await Bus.FetchAsync(1, Bus.AckWait * 1.2, Cancel));
    }

    [Fact]
    public async Task A_renewal_has_no_effect_after_an_acknowledgement_or_a_redelivery()
    {
        await PublishAsync("a", "b");
        var first = await FetchAsync(2);
        await first[0].AckAsync(Cancel);
        var again = await FetchOneAsync(); // the other job, after its ack wait
        await Bus.AckAsync([again], Cancel);

        await Bus.InProgressAsync([.. first], Cancel);

        Assert.Equal(first[1].Message.Sequence, again.Message.Sequence);
        Assert.Empty(await Bus.FetchAsync(2, Bus.AckWait * 1.5, Cancel));
    }

    [Fact]
    public async Task A_returned_message_is_redelivered_after_its_delay()
    {
        await PublishAsync("a");
        var first = await FetchOneAsync();
        await first.NakAsync(TimeSpan.FromMilliseconds(700), Cancel);

        Assert.Empty(await Bus.FetchAsync(1, TimeSpan.FromMilliseconds(200), Cancel));
        Assert.Equal(2, (await FetchOneAsync()).Attempt);
    }

    [Fact]
    public async Task A_fetch_waits_for_a_job_for_at_most_the_given_time()
    {
        Assert.Empty(await Bus.FetchAsync(5, TimeSpan.FromMilliseconds(100), Cancel));
        var waiting = Bus.FetchAsync(5, Limit, Cancel);

        await PublishAsync("a");

        Assert.Single(await waiting);
    }

    [Fact]
    public async Task Consumers_share_the_jobs()
    {
        await PublishAsync([.. Enumerable.Range(0, 60).Select(i => $"{i}")]);
        var seen = new ConcurrentBag<string>();
        using var limit = new CancellationTokenSource(Limit, TimeProvider.System);

        await Task.WhenAll(
            Enumerable
                .Range(0, 3)
                .Select(_ =>
                    Task.Run(
                        async () =>
                        {
                            // On a busy machine a fetch can be empty although there are jobs.
                            while (seen.Count < 60 && !limit.IsCancellationRequested)
                            {
                                var jobs = await Bus.FetchAsync(7, TimeSpan.FromMilliseconds(500), Cancel);
                                Assert.InRange(jobs.Length, 0, 7);
                                foreach (var job in jobs)
                                {
                                    seen.Add(Text(job.Message));
                                    await job.AckAsync(Cancel);
                                }
                            }
                        },
                        Cancel
                    )
                )
        );

        Assert.Equal(60, seen.Count);
        Assert.Equal(60, seen.Distinct().Count());
    }

    [Fact]
    public async Task A_message_that_is_published_twice_is_stored_once()
    {
        var message = new BusMessage("agent.status.completed", "1"u8.ToArray()) { Id = "t:1" };
        await Bus.PublishAsync([message, message with { Id = "t:2" }], Cancel);
        await Bus.PublishAsync([message with { Body = "other"u8.ToArray() }, message with { Id = "t:3" }], Cancel);

        var stored = await ReadAsync(BusStream.Results);

        Assert.Equal(["t:1", "t:2", "t:3"], stored.Select(it => it.Id));
        Assert.All(stored, it => Assert.Equal("1", Text(it)));
        Assert.True(Bus.DuplicateWindow >= TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task Streams_are_read_in_order_from_any_position()
    {
        await Bus.PublishAsync(
            [
                .. Enumerable
                    .Range(0, 25)
                    .Select(i => new BusMessage("agent.dead-letter.x", Encoding.UTF8.GetBytes($"{i}")) { Id = $"id{i}" }),
            ],
            Cancel
        );
        await PublishAsync("a job, in another stream");

        var first = await Bus.ReadAsync(new BusQuery(BusStream.DeadLetters, 10), Cancel);
        var rest = await Bus.ReadAsync(new BusQuery(BusStream.DeadLetters, 100, After: first[^1].Sequence), Cancel);
        var recent = await Bus.ReadAsync(
            new BusQuery(BusStream.DeadLetters, 100, Since: first[0].Time.AddMinutes(-1), HasBodies: false),
            Cancel
        );

        Assert.Equal(Enumerable.Range(0, 25).Select(i => $"{i}"), first.Concat(rest).Select(Text));
        Assert.Equal(10, first.Length);
        Assert.Equal(first.Concat(rest).Select(it => it.Sequence), first.Concat(rest).Select(it => it.Sequence).Order());
        Assert.Equal(Enumerable.Range(0, 25).Select(i => $"id{i}"), recent.Select(it => it.Id));
        Assert.All(recent, it => Assert.Equal(0, it.Body.Length));
        Assert.Empty(await Bus.ReadAsync(new BusQuery(BusStream.DeadLetters, 10, After: rest[^1].Sequence), Cancel));
        Assert.Empty(
            await Bus.ReadAsync(new BusQuery(BusStream.DeadLetters, 10, Since: TimeProvider.System.GetUtcNow().AddHours(1)), Cancel)
        );
    }

    [Fact]
    public async Task A_message_can_be_deleted()
    {
        await Bus.PublishAsync(
            [.. Enumerable.Range(0, 3).Select(i => new BusMessage("agent.dead-letter.x", Encoding.UTF8.GetBytes($"{i}")))],
            Cancel
        );
        var stored = await ReadAsync(BusStream.DeadLetters);

        Assert.True(await Bus.DeleteAsync(BusStream.DeadLetters, stored[1].Sequence, Cancel));
        Assert.False(await Bus.DeleteAsync(BusStream.DeadLetters, stored[1].Sequence, Cancel));
        Assert.False(await Bus.DeleteAsync(BusStream.DeadLetters, 1_000_000, Cancel));

        Assert.Equal(["0", "2"], (await ReadAsync(BusStream.DeadLetters)).Select(Text));
    }

    [Theory]
    [InlineData("agent.other")]
    [InlineData("agent.execute.")]
    [InlineData("agent.execute.a.b")]
    [InlineData("agent.execute.*")]
    [InlineData("agent.execute.a b")]
    public async Task A_subject_without_a_stream_is_rejected_and_nothing_is_published(string subject)
    {
        var fault = await Assert.ThrowsAsync<FaultException>(async () =>
            await Bus.PublishAsync([new BusMessage("agent.execute.fine", default), new BusMessage(subject, default)], Cancel)
        );

        Assert.Equal(FaultCodes.UnknownSubject, fault.Code);
        Assert.Contains(subject, fault.Message, StringComparison.Ordinal);
        Assert.Empty(await ReadAsync(BusStream.Jobs));
    }

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static string Text(StoredMessage message) => Encoding.UTF8.GetString(message.Body.Span);

    private async Task PublishAsync(params string[] bodies) =>
        await Bus.PublishAsync([.. bodies.Select(body => new BusMessage("agent.execute.demo", Encoding.UTF8.GetBytes(body)))], Cancel);

    private async Task<IDelivery> FetchOneAsync() => Assert.Single(await Bus.FetchAsync(1, Limit, Cancel));

    private async Task<List<IDelivery>> FetchAsync(int count)
    {
        var jobs = new List<IDelivery>();
        while (jobs.Count < count)
        {
            var more = await Bus.FetchAsync(count - jobs.Count, Limit, Cancel);
            Assert.NotEmpty(more);
            jobs.AddRange(more);
        }
        return jobs;
    }

    private async Task<ImmutableArray<StoredMessage>> ReadAsync(BusStream stream) =>
        await Bus.ReadAsync(new BusQuery(stream, 1_000), Cancel);
}
