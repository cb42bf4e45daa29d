using System.Text;
using System.Threading.Channels;
using AgentExecutor.Core;
using AgentExecutor.Core.Events;
using Xunit;

namespace AgentExecutor.Conformance.Events;

/// <summary>The contract of <see cref="IEventTransport"/>, one sentence a test. There are two ends: the events of one are seen at the other.</summary>
public abstract class EventTransportContract : IAsyncLifetime
{
    /// <summary>How an end that keeps a server's events is to be set.</summary>
    protected static readonly StreamSettings Settings = new();

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly string _thread = $"thread-{Guid.NewGuid():n}";

    /// <summary>Where events are published.</summary>
    protected IEventTransport Transport { get; private set; } = null!;

    /// <summary>Another process's end.</summary>
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
    public async Task What_is_published_is_kept_in_order_as_it_was()
    {
        Assert.Equal(3, await PublishAsync(Transport, 1, 2, 5));

        var kept = await ReadAsync(after: 0);

        Assert.Equal([1, 2, 5], kept.Select(value => value.Sequence));
        Assert.All(kept, value => Assert.Equal(EventKinds.ToolStart, value.Type));
        Assert.Equal(Text(Event(5)), Text(kept[2]));
    }

    [Fact]
    public async Task What_is_kept_can_be_read_from_any_number_on()
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
    public async Task Nothing_is_kept_of_a_thread_that_nobody_knows() => Assert.Empty(await ReadAsync(after: 0));

    [Fact]
    public async Task Threads_do_not_mix()
    {
        var other = $"{_thread}-other";
        await Transport.PublishAsync([(_thread, Event(1)), (other, Event(1)), (_thread, Event(2)), (other, Event(3))], Cancel);

        Assert.Equal([1, 2], (await ReadAsync(after: 0)).Select(value => value.Sequence));
        Assert.Equal([1, 3], (await Transport.ReadAsync(other, 0, long.MaxValue, Cancel)).Select(value => value.Sequence));
    }

    [Fact]
    public async Task A_number_that_is_not_above_those_kept_is_published_and_not_kept()
    {
        var heard = await HearAsync(Other);
        await PublishAsync(Transport, 2, 4);

        Assert.Equal(3, await PublishAsync(Transport, 3, 4, 5));

        Assert.Equal([2, 4, 3, 4, 5], (await heard.TakeAsync(5)).Select(value => value.Sequence));
        Assert.Equal([2, 4, 5], (await ReadAsync(after: 0)).Select(value => value.Sequence));
    }

    [Fact]
    public async Task Number_one_begins_the_thread_anew()
    {
        await PublishAsync(Transport, 1, 2, 3);
        await PublishAsync(Transport, 4, 1, 2);

        Assert.Equal([1, 2], (await ReadAsync(after: 0)).Select(value => value.Sequence));
    }

    [Fact]
    public async Task A_subscriber_hears_from_now_on_in_order_what_the_other_end_publishes()
    {
        await PublishAsync(Transport, 1, 2);
        var heard = await HearAsync(Other);

        await PublishAsync(Transport, [.. Enumerable.Range(3, 1000)]);
        var events = await heard.TakeAsync(1000);

        Assert.Equal(Enumerable.Range(3, 1000).Select(number => (long)number), events.Select(value => value.Sequence));
        Assert.Equal((EventKinds.ToolStart, Text(Event(3))), (events[0].Type, Text(events[0])));
    }

    [Fact]
    public async Task The_same_end_hears_itself()
    {
        var heard = await HearAsync(Transport);
        await PublishAsync(Transport, 1);

        Assert.Equal(1, (await heard.TakeAsync(1))[0].Sequence);
    }

    [Fact]
    public async Task An_event_s_type_is_known_to_who_hears_it()
    {
        var heard = await HearAsync(Other);
        await Transport.PublishAsync([(_thread, Event(1, EventKinds.LlmStream)), (_thread, Event(2, EventKinds.End))], Cancel);
        var events = await heard.TakeAsync(2);

        Assert.Equal((false, true), (events[0].IsLogged, events[1].IsEnd));
        Assert.Equal(EventKinds.LlmStream, events[0].Type);
    }

    [Fact]
    public async Task Nothing_is_heard_after_unsubscribing_and_again_after_subscribing_anew()
    {
        var first = await HearAsync(Other);
        Other.Unsubscribe(_thread);
        Other.Unsubscribe(_thread);
        await PublishAsync(Transport, 1);
        var second = await HearAsync(Other);
        await PublishAsync(Transport, 2);

        Assert.Equal(2, (await second.TakeAsync(1))[0].Sequence);
        Assert.Equal(0, first.Count);
    }

    [Fact]
    public async Task A_thread_has_one_subscription_at_a_time()
    {
        var first = await HearAsync(Other);
        var second = await HearAsync(Other);
        await PublishAsync(Transport, 1);

        await second.TakeAsync(1);
        Assert.Equal(0, first.Count);
    }

    [Fact]
    public async Task Nothing_to_publish_is_nothing_published() => Assert.Equal(0, await Transport.PublishAsync([], Cancel));

    [Fact]
    public async Task An_outage_is_a_transient_fault_and_subscriptions_are_told_when_it_is_over()
    {
        var heard = await HearAsync(Other);
        await SetConnectedAsync(false);
        var fault = await Assert.ThrowsAsync<FaultException>(() => PublishAsync(Transport, 1).WaitAsync(Limit));
        Assert.Equal((FaultCodes.StreamUnavailable, true), (fault.Code, fault.IsTransient));
        await Assert.ThrowsAsync<FaultException>(() => ReadAsync(0));
        var late = new Heard();
        await Assert.ThrowsAsync<FaultException>(() => Other.SubscribeAsync($"{_thread}-late", late.Receive, late.Restored, Cancel).WaitAsync(Limit));
        Assert.False(Transport.IsConnected);

        await SetConnectedAsync(true);
        await Transport.ConnectedAsync(Cancel).WaitAsync(Limit);
        await heard.IsRestored.WaitAsync(Limit);
        await late.IsRestored.WaitAsync(Limit);
        Assert.True(Transport.IsConnected);
        await PublishAsync(Transport, 8);
        await Transport.PublishAsync([($"{_thread}-late", Event(9))], Cancel);

        Assert.Equal(8, (await heard.TakeAsync(1))[0].Sequence);
        Assert.Equal(9, (await late.TakeAsync(1))[0].Sequence);
    }

    /// <summary>An end of a transport that keeps nothing yet.</summary>
    protected abstract ValueTask<IEventTransport> MakeAsync();

    /// <summary>Another end of the same.</summary>
    protected abstract ValueTask<IEventTransport> JoinAsync();

    /// <summary>Takes what is between the ends away, or gives it back.</summary>
    protected abstract Task SetConnectedAsync(bool isConnected);

    private static StreamEvent Event(long sequence, string type = EventKinds.ToolStart) => new(
        sequence, type, Encoding.UTF8.GetBytes($$"""{"event_type":"{{type}}","data":{"text":"é \"seq\":7 }"},"seq":{{sequence}},"ts":"2026-11-21T10:00:00+00:00"}"""));

    private static string Text(StreamEvent value) => Encoding.UTF8.GetString(value.Json.Span);

    private Task<int> PublishAsync(IEventTransport transport, params int[] sequences) =>
        transport.PublishAsync([.. sequences.Select(sequence => (_thread, Event(sequence)))], Cancel).AsTask();

    private async Task<StreamEvent[]> ReadAsync(long after, long upTo = long.MaxValue) => [.. await Other.ReadAsync(_thread, after, upTo, Cancel)];

    private async Task<Heard> HearAsync(IEventTransport transport)
    {
        var heard = new Heard();
        await transport.SubscribeAsync(_thread, heard.Receive, heard.Restored, Cancel).WaitAsync(Limit);
        return heard;
    }

    /// <summary>What a subscription was told.</summary>
    private sealed class Heard
    {
        private readonly Channel<StreamEvent> _events = Channel.CreateUnbounded<StreamEvent>();
        private readonly TaskCompletionSource _restored = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task IsRestored => _restored.Task;

        public int Count => _events.Reader.Count;

        public void Receive(StreamEvent value) => _events.Writer.TryWrite(value);

        public void Restored() => _restored.TrySetResult();

        /// <summary>The next of them, and no more have come.</summary>
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
