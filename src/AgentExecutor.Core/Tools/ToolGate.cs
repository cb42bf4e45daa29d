using AgentExecutor.Core.ModelLimits;
using AgentExecutor.Core.Sessions;

namespace AgentExecutor.Core.Tools;

/// <summary>
/// Limits how many calls of a tool run at once, and how many start per minute. All runs of the process share it. Waiting calls are admitted
/// in the order of their arrival, and a run that waits occupies no slot of its worker.
/// </summary>
/// <param name="maxConcurrent">The number of calls that may run at once; null for no limit.</param>
/// <param name="callsPerMinute">The number of calls per minute; null for no limit.</param>
/// <param name="time">The clock.</param>
public sealed class ToolGate(int? maxConcurrent, double? callsPerMinute, TimeProvider time)
{
    private readonly FairLimit? _places = maxConcurrent is { } places ? new FairLimit(places) : null;
    private readonly RateLimit? _rate = callsPerMinute is { } calls ? new RateLimit(calls, 0, time) : null;

    /// <summary>Waits until the call may start. The caller must call <see cref="Leave"/> when the call has ended.</summary>
    /// <exception cref="OperationCanceledException">The call was cancelled, or the run was asked to stop.</exception>
    public async ValueTask EnterAsync(RunSession session, CancellationToken cancellationToken)
    {
        if (_places is not null && !_places.TryEnter())
        {
            await session.WaitAsync(_places.EnterAsync, cancellationToken);
        }
        try
        {
            if (_rate is not null && !_rate.TryTake(0))
            {
                await session.WaitAsync(token => _rate.TakeAsync(0, token), cancellationToken);
            }
        }
        catch
        {
            Leave();
            throw;
        }
    }

    public void Leave() => _places?.Leave();
}
