using System.Text;
using System.Threading.Channels;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using Xunit;

namespace AgentExecutor.Conformance.Events;

/// <summary>
/// The contract of <see cref="IEventTransport"/>. There are two ends, and the events that one publishes are received at the other.
/// </summary>
public abstract class EventTransportContract : IAsyncLifetime
{
    /// <summary>The settings of an end that keeps events.</summary>
    protected static readonly StreamSettings Settings = new();

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly string _thread = $"thread-{Guid.NewGuid():n}";

    /// <summary>The end at which events are published.</summary>
    protected IEventTransport Transport { get; private set; } = null!;

    /// <summary>The end of another process.</summary>
    protected IEventTransport Other { get; private set; } = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Transport = await MakeAsync();
        Other = await JoinAsync();
        await Transport.ConnectedAsync(Cancel).WaitAsync(Limit);
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Transport.DisposeAsync();
        await Other.DisposeAsync();
    }

    [Fact]
    public async Task Published_events_are_kept_unchanged_and_in_order()
    {
        Assert.Equal(3, await PublishAsync(Transport, 1, 2, 5));

        var kept = await ReadAsync(after: 0);

        Assert.Equal([1, 2, 5], kept.Select(value => value.Sequence));
        Assert.All(kept, value => Assert.Equal(EventKinds.ToolStart, value.Type));
        Assert.Equal(Text(Event(5)), Text(kept[2]));
    }

    [Fact]
    public async Task Kept_events_can_be_read_from_any_number()
    {
        await PublishAsync(Transport, 1, 2, 3, 7);

        Assert.Equal([3, 7], (await ReadAsync(after: 2)).Select(value => value.Sequence));
        Assert.Equal([7], (await ReadAsync(after: 5)).Select(value => value.Sequence));
        Assert.Equal([3], (await ReadAsync(after: 2, upTo: 6)).Select(value => value.Sequence));
        Assert.Empty(await ReadAsync(after: 3, upTo: 3));
        Assert.Empty(await ReadAsync(after: 7));
        Assert.Empty(await ReadAsync(after: long.MaxValue));
        Assert.Equal(4, (await ReadAsync(after: -1)).Length);
    }

    [Fact]
    public async Task An_unknown_thread_has_no_kept_events() => Assert.Empty(await ReadAsync(after: 0));

    [Fact]
    public async Task The_events_of_threads_are_independent()
    {
        var other = $"{_thread}-other";
        await Transport.PublishAsync([(_thread, Event(1)), (other, Event(1)), (_thread, Event(2)), (other, Event(3))], Cancel);

        Assert.Equal([1, 2], (await ReadAsync(after: 0)).Select(value => value.Sequence));
        Assert.Equal([1, 3], (await Transport.ReadAsync(other, 0, long.MaxValue, Cancel)).Select(value => value.Sequence));
    }

    [Fact]
    public async Task An_event_whose_number_is_not_greater_than_the_kept_ones_is_published_but_not_kept()
    {
        var received = await ListenAsync(Other);
        await PublishAsync(Transport, 2, 4);

        Assert.Equal(3, await PublishAsync(Transport, 3, 4, 5));

        Assert.Equal([2, 4, 3, 4, 5], (await received.TakeAsync(5)).Select(value => value.Sequence));
        Assert.Equal([2, 4, 5], (await ReadAsync(after: 0)).Select(value => value.Sequence));
    }

    [Fact]
    public async Task Number_one_starts_the_thread_again()
    {
        await PublishAsync(Transport, 1, 2, 3);
        await PublishAsync(Transport, 4, 1, 2);

        Assert.Equal([1, 2], (await ReadAsync(after: 0)).Select(value => value.Sequence));
    }

    [Fact]
    public async Task A_subscriber_receives_the_events_of_the_other_end_in_order()
    {
        await PublishAsync(Transport, 1, 2);
        var received = await ListenAsync(Other);

        await PublishAsync(Transport, [.. Enumerable.Range(3, 1000)]);
        var events = await received.TakeAsync(1000);

        Assert.Equal(Enumerable.Range(3, 1000).Select(number => (long)number), events.Select(value => value.Sequence));
        Assert.Equal((EventKinds.ToolStart, Text(Event(3))), (events[0].Type, Text(events[0])));
    }

    [Fact]
    public async Task A_subscriber_receives_the_events_of_its_own_end()
    {
        var received = await ListenAsync(Transport);
        await PublishAsync(Transport, 1);

        Assert.Equal(1, (await received.TakeAsync(1))[0].Sequence);
    }

    [Fact]
    public async Task A_received_event_has_its_type()
    {
        var received = await ListenAsync(Other);
        await Transport.PublishAsync([(_thread, Event(1, EventKinds.LlmStream)), (_thread, Event(2, EventKinds.End))], Cancel);
        var events = await received.TakeAsync(2);

        Assert.Equal((false, true), (events[0].IsLogged, events[1].IsEnd));
        Assert.Equal(EventKinds.LlmStream, events[0].Type);
    }

    [Fact]
    public async Task Events_are_received_only_while_subscribed()
    {
        var first = await ListenAsync(Other);
        Other.Unsubscribe(_thread);
        Other.Unsubscribe(_thread);
        await PublishAsync(Transport, 1);
        var second = await ListenAsync(Other);
        await PublishAsync(Transport, 2);

        Assert.Equal(2, (await second.TakeAsync(1))[0].Sequence);
        Assert.Equal(0, first.Count);
    }

    [Fact]
    public async Task A_thread_has_one_subscription_at_a_time()
    {
        var first = await ListenAsync(Other);
        var second = await ListenAsync(Other);
        await PublishAsync(Transport, 1);

        await second.TakeAsync(1);
        Assert.Equal(0, first.Count);
    }

    [Fact]
    public async Task Publishing_no_events_publishes_nothing() => Assert.Equal(0, await Transport.PublishAsync([], Cancel));

    [Fact]
    public async Task An_outage_is_a_transient_fault_and_subscriptions_are_notified_after_it()
    {
        var received = await ListenAsync(Other);
        await SetConnectedAsync(false);
        var fault = await Assert.ThrowsAsync<FaultException>(() => PublishAsync(Transport, 1).WaitAsync(Limit));
        Assert.Equal((FaultCodes.StreamUnavailable, true), (fault.Code, fault.IsTransient));
        await Assert.ThrowsAsync<FaultException>(() => ReadAsync(0));
        var late = new ReceivedEvents();
        await Assert.ThrowsAsync<FaultException>(() =>
            Other.SubscribeAsync($"{_thread}-late", late.Receive, late.Restored, Cancel).WaitAsync(Limit)
        );
        Assert.False(Transport.IsConnected);

        await SetConnectedAsync(true);
        await Transport.ConnectedAsync(Cancel).WaitAsync(Limit);
        await received.IsRestored.WaitAsync(Limit);
        await late.IsRestored.WaitAsync(Limit);
        Assert.True(Transport.IsConnected);
        await PublishAsync(Transport, 8);
        await Transport.PublishAsync([($"{_thread}-late", Event(9))], Cancel);

        Assert.Equal(8, (await received.TakeAsync(1))[0].Sequence);
        Assert.Equal(9, (await late.TakeAsync(1))[0].Sequence);
    }

    /// <summary>Creates an end of a transport without kept events.</summary>
    protected abstract ValueTask<IEventTransport> MakeAsync();

    /// <summary>Creates another end of the same transport.</summary>
    protected abstract ValueTask<IEventTransport> JoinAsync();

    /// <summary>Starts or ends an outage between the ends.</summary>
    protected abstract Task SetConnectedAsync(bool isConnected);

    private static StreamEvent Event(long sequence, string type = EventKinds.ToolStart) =>
        new(
            sequence,
            type,
            Encoding.UTF8.GetBytes(
                $$"""{"event_type":"{{type}}","data":{"text":"é \"seq\":7 }"},"seq":{{sequence}},"ts":"2026-11-21T10:00:00+00:00"}"""
            )
        );

    private static string Text(StreamEvent value) => Encoding.UTF8.GetString(value.Json.Span);

    private Task<int> PublishAsync(IEventTransport transport, params int[] sequences) =>
        transport.PublishAsync([.. sequences.Select(sequence => (_thread, Event(sequence)))], Cancel).AsTask();

    private async Task<StreamEvent[]> ReadAsync(long after, long upTo = long.MaxValue) =>
        [.. await Other.ReadAsync(_thread, after, upTo, Cancel)];

    private async Task<ReceivedEvents> ListenAsync(IEventTransport transport)
    {
        var received = new ReceivedEvents();
        await transport.SubscribeAsync(_thread, received.Receive, received.Restored, Cancel).WaitAsync(Limit);
        return received;
    }

    /// <summary>The events and notifications that a subscription received.</summary>
    private sealed class ReceivedEvents
    {
        private readonly Channel<StreamEvent> _events = Channel.CreateUnbounded<StreamEvent>();
        private readonly TaskCompletionSource _restored = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task IsRestored => _restored.Task;

        public int Count => _events.Reader.Count;

        public void Receive(StreamEvent value) => _events.Writer.TryWrite(value);

        public void Restored() => _restored.TrySetResult();

        /// <summary>Reads the given number of events and checks that no others were received.</summary>
        public async Task<IReadOnlyList<StreamEvent>> TakeAsync(int count)
        {
            var taken = new List<StreamEvent>();
            while (taken.Count < count)
            {
                taken.Add(await _events.Reader.ReadAsync(Cancel).AsTask().WaitAsync(Limit));
            }
            Assert.Equal(0, Count);
            return taken;
        }
    }
}
