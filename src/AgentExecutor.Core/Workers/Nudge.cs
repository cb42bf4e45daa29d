namespace AgentExecutor.Core.Workers;

/// <summary>Wakes one waiter; a nudge that comes while nobody waits is kept, several count as one.</summary>
internal sealed class Nudge : IDisposable
{
    private readonly SemaphoreSlim _signal = new(0, 1);

    public void Give()
    {
        try
        {
            _signal.Release();
        }
        catch (Exception exception) when (exception is SemaphoreFullException or ObjectDisposedException)
        {
            // one is kept already, or nobody will wait any more
        }
    }

    /// <summary>Returns at a nudge, or after so long.</summary>
    public async Task WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(atMost, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await _signal.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // the time is up
        }
    }

    public void Dispose() => _signal.Dispose();
}
