using System.Runtime.CompilerServices;
using AgentExecutor.Core;
using AgentExecutor.Core.ModelCalls;

namespace AgentExecutor.Tests.ModelCalls;

public sealed class StallGuardTests
{
    private static readonly TimeSpan First = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan Next = TimeSpan.FromSeconds(60);

    private readonly FakeTime _time = new();
    private readonly TaskCompletionSource _go = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _said = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_stream_that_does_not_start_is_abandoned_and_closed()
    {
        var reading = ReadAsync([], isDeaf: false, Cancel);

        await _time.PassAsync(First);

        var fault = await Assert.ThrowsAsync<FaultException>(() => reading.WaitAsync(Eventually.Limit, Cancel));
        Assert.Equal((FaultCodes.ModelTimeout, true), (fault.Code, fault.IsTransient));
        await _closed.Task.WaitAsync(Eventually.Limit, Cancel);
    }

    [Fact]
    public async Task A_stream_that_stops_in_the_middle_is_abandoned_sooner()
    {
        var reading = ReadAsync([1, 2], isDeaf: false, Cancel);

        await _said.Task.WaitAsync(Eventually.Limit, Cancel); // otherwise the elapsed time could count for the second item
        await _time.PassAsync(Next);

        await Assert.ThrowsAsync<FaultException>(() => reading.WaitAsync(Eventually.Limit, Cancel));
    }

    [Fact]
    public async Task A_stream_that_ignores_cancellation_is_not_awaited_and_closed_when_it_returns()
    {
        var reading = ReadAsync([1], isDeaf: true, Cancel);
        await _time.PassAsync(Next);
        await Assert.ThrowsAsync<FaultException>(() => reading.WaitAsync(Eventually.Limit, Cancel));
        Assert.False(_closed.Task.IsCompleted);

        _go.SetResult();

        await _closed.Task.WaitAsync(Eventually.Limit, Cancel);
    }

    [Fact]
    public async Task A_cancelled_caller_does_not_wait_for_a_stream_that_ignores_cancellation()
    {
        using var stop = new CancellationTokenSource();
        var reading = ReadAsync([1], isDeaf: true, stop.Token);
        await Eventually.True(() => Task.FromResult(_time.IsWaitedFor));

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading.WaitAsync(Eventually.Limit, Cancel));
    }

    [Fact]
    public async Task A_continuous_stream_is_read_to_its_end()
    {
        _go.SetResult();

        Assert.Equal([1, 2, 3], await ReadAsync([1, 2, 3], isDeaf: false, Cancel));
        Assert.True(_closed.Task.IsCompleted);
    }

    [Fact]
    public async Task Keep_alives_do_not_count_as_the_first_item()
    {
        var reading = ReadAsync([-1, -2], isDeaf: false, Cancel, between: TimeSpan.FromSeconds(100));

        await _time.PassAsync(TimeSpan.FromSeconds(100));
        await _time.PassAsync(First - TimeSpan.FromSeconds(100));

        var fault = await Assert.ThrowsAsync<FaultException>(() => reading.WaitAsync(Eventually.Limit, Cancel));
        Assert.Contains("120 s", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keep_alives_keep_a_started_stream_open()
    {
        var between = Next - TimeSpan.FromSeconds(1);
        var reading = ReadAsync([1, -1, -1, 2], isDeaf: false, Cancel, between);
        for (var i = 0; i < 3; i++)
        {
            await _time.PassAsync(between);
        }
        _go.SetResult();

        Assert.Equal([1, -1, -1, 2], await reading.WaitAsync(Eventually.Limit, Cancel));
    }

    private async Task<List<int>> ReadAsync(int[] items, bool isDeaf, CancellationToken cancellationToken, TimeSpan between = default)
    {
        var read = new List<int>();
        await foreach (
            var item in StallGuard.ReadAsync(
                token => StreamAsync(items, isDeaf, between, token),
                First,
                Next,
                item => item < 0,
                _time,
                cancellationToken
            )
        )
        {
            read.Add(item);
        }
        return read;
    }

    private async IAsyncEnumerable<int> StreamAsync(
        int[] items,
        bool isDeaf,
        TimeSpan between,
        [EnumeratorCancellation] CancellationToken cancellationToken = default
    )
    {
        try
        {
            for (var i = 0; i < items.Length; i++)
            {
                await Task.Delay(i > 0 ? between : TimeSpan.Zero, _time, cancellationToken);
                await Task.Yield();
                yield return items[i];
            }
            _said.SetResult();
            await _go.Task.WaitAsync(isDeaf ? CancellationToken.None : cancellationToken);
        }
        finally
        {
            _closed.SetResult();
        }
    }
}
