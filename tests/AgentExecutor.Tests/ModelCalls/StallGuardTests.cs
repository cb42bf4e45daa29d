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
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_stream_that_does_not_begin_is_given_up_and_closed()
    {
        var reading = ReadAsync([], isDeaf: false, Cancel);

        await _time.PassAsync(First);

        var fault = await Assert.ThrowsAsync<FaultException>(() => reading);
        Assert.Equal((FaultCodes.ModelTimeout, true), (fault.Code, fault.IsTransient));
        await _closed.Task.WaitAsync(Eventually.Limit, Cancel);
    }

    [Fact]
    public async Task A_stream_that_stops_in_the_middle_is_given_up_sooner()
    {
        var reading = ReadAsync([1, 2], isDeaf: false, Cancel);

        await _time.PassAsync(Next);

        await Assert.ThrowsAsync<FaultException>(() => reading);
    }

    [Fact]
    public async Task One_that_does_not_heed_cancellation_is_not_waited_for_and_closed_when_it_comes_back()
    {
        var reading = ReadAsync([1], isDeaf: true, Cancel);
        await _time.PassAsync(Next);
        await Assert.ThrowsAsync<FaultException>(() => reading);
        Assert.False(_closed.Task.IsCompleted);

        _go.SetResult();

        await _closed.Task.WaitAsync(Eventually.Limit, Cancel);
    }

    [Fact]
    public async Task A_caller_who_cancels_does_not_wait_for_a_deaf_stream_either()
    {
        using var stop = new CancellationTokenSource();
        var reading = ReadAsync([1], isDeaf: true, stop.Token);
        await Eventually.True(() => Task.FromResult(_time.IsWaitedFor));

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
    }

    [Fact]
    public async Task A_stream_that_goes_on_is_read_to_its_end()
    {
        _go.SetResult();

        Assert.Equal([1, 2, 3], await ReadAsync([1, 2, 3], isDeaf: false, Cancel));
        Assert.True(_closed.Task.IsCompleted);
    }

    private async Task<List<int>> ReadAsync(int[] items, bool isDeaf, CancellationToken cancellationToken)
    {
        var read = new List<int>();
        await foreach (var item in StallGuard.ReadAsync(token => StreamAsync(items, isDeaf, token), First, Next, _time, cancellationToken))
        {
            read.Add(item);
        }
        return read;
    }

    private async IAsyncEnumerable<int> StreamAsync(int[] items, bool isDeaf, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        try
        {
            foreach (var item in items)
            {
                await Task.Yield();
                yield return item;
            }
            await _go.Task.WaitAsync(isDeaf ? CancellationToken.None : cancellationToken);
        }
        finally
        {
            _closed.SetResult();
        }
    }
}
