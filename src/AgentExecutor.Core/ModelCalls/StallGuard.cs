using System.Runtime.CompilerServices;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>Reads a stream and abandons it if nothing arrives for too long, even if the sender ignores cancellation.</summary>
public static class StallGuard
{
    /// <param name="open">Opens the stream.</param>
    /// <param name="first">The time limit for the first item, regardless of keep-alive items before it.</param>
    /// <param name="next">The time limit for every other item, since the previous item of any kind.</param>
    /// <param name="isKeepAlive">Returns true for keep-alive items.</param>
    /// <param name="time">The source of time.</param>
    /// <param name="cancellationToken">Ends the enumeration.</param>
    /// <exception cref="FaultException">The stream stalled (<see cref="FaultCodes.ModelTimeout"/>).</exception>
    public static async IAsyncEnumerable<T> ReadAsync<T>(
        Func<CancellationToken, IAsyncEnumerable<T>> open,
        TimeSpan first,
        TimeSpan next,
        Func<T, bool> isKeepAlive,
        TimeProvider time,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var (opened, hasBegun) = (time.GetTimestamp(), false);
        var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var items = open(stop.Token).GetAsyncEnumerator(stop.Token);
        Task<bool>? pending = null;
        try
        {
            while (true)
            {
                var left = hasBegun ? next : first - time.GetElapsedTime(opened);
                if (left <= TimeSpan.Zero)
                {
                    throw Stalled(first);
                }
                var moving = items.MoveNextAsync();
                bool hasNext;
                if (moving.IsCompleted)
                {
                    hasNext = await moving; // in the middle of a stream, the next item is usually available, so no timer is needed
                }
                else
                {
                    pending = moving.AsTask();
                    hasNext = await WithinAsync(pending, left, hasBegun ? next : first, time, cancellationToken);
                }
                if (!hasNext)
                {
                    break;
                }
                yield return items.Current;
                hasBegun |= !isKeepAlive(items.Current);
            }
        }
        finally
        {
            if (pending is null or { IsCompleted: true })
            {
                await items.DisposeAsync();
                stop.Dispose();
            }
            else
            {
                // The stream may never end, so it is not awaited. It holds none of our resources.
                _ = AbandonAsync(items, pending, stop);
            }
        }
    }

    private static async Task<bool> WithinAsync(
        Task<bool> moving,
        TimeSpan left,
        TimeSpan limit,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await moving.WaitAsync(left, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            return moving.IsCompleted ? await moving : throw Stalled(limit); // the item may have arrived at the last moment
        }
    }

    private static FaultException Stalled(TimeSpan limit) =>
        new(FaultCodes.ModelTimeout, $"the model sent nothing for {limit.TotalSeconds:0.###} s") { IsTransient = true };

    /// <summary>An enumerator must not be disposed of while it is moving.</summary>
    private static async Task AbandonAsync<T>(IAsyncEnumerator<T> items, Task pending, CancellationTokenSource stop)
    {
        try
        {
            await stop.CancelAsync();
            await pending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await items.DisposeAsync();
        }
        catch (Exception) // The stream has been reported as stalled, so later errors of it are ignored.
        { }
        finally
        {
            stop.Dispose();
        }
    }
}
