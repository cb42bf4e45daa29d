using System.Runtime.CompilerServices;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>Reads a stream, and gives it up when nothing comes for too long: also where whoever sends it does not heed cancellation.</summary>
public static class StallGuard
{
    /// <param name="open">Begins the stream.</param>
    /// <param name="first">How long the first item may take, whatever signs of life come before it.</param>
    /// <param name="next">How long any other may take, from the item or the sign of life before it.</param>
    /// <param name="isSignOfLife">The item only says that there is somebody.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="FaultException"><see cref="FaultCodes.ModelTimeout"/>: it stalled.</exception>
    public static async IAsyncEnumerable<T> ReadAsync<T>(
        Func<CancellationToken, IAsyncEnumerable<T>> open, TimeSpan first, TimeSpan next, Func<T, bool> isSignOfLife, TimeProvider time,
        [EnumeratorCancellation] CancellationToken cancellationToken)
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
                    hasNext = await moving; // the commonest case in mid-stream, without a timer
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
                hasBegun |= !isSignOfLife(items.Current);
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
                _ = AbandonAsync(items, pending, stop); // nobody waits for a stream that may never end; it holds nothing of ours
            }
        }
    }

    private static async Task<bool> WithinAsync(Task<bool> moving, TimeSpan left, TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            return await moving.WaitAsync(left, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            return moving.IsCompleted ? await moving : throw Stalled(limit); // it may have come at the last moment
        }
    }

    private static FaultException Stalled(TimeSpan limit) =>
        new(FaultCodes.ModelTimeout, $"the model sent nothing for {limit.TotalSeconds:0.###} s") { IsTransient = true };

    /// <summary>An enumerator must not be disposed of while it moves.</summary>
    private static async Task AbandonAsync<T>(IAsyncEnumerator<T> items, Task pending, CancellationTokenSource stop)
    {
        try
        {
            await stop.CancelAsync();
            await pending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await items.DisposeAsync();
        }
        catch (Exception) // the border of what nobody waits for: whatever it throws has been said, as a stall
        {
        }
        finally
        {
            stop.Dispose();
        }
    }
}
