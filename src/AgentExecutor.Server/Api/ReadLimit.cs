using System.Threading.RateLimiting;
using AgentExecutor.Core;
using AgentExecutor.Server.Settings;
using Microsoft.AspNetCore.Http;

namespace AgentExecutor.Server.Api;

/// <summary>
/// Limits the number of requests that read from the store at the same time. Further requests wait, and when too many wait, the rest is
/// rejected. Reads use separate database connections, so they only wait for each other.
/// <para>
/// This class uses the limiter of the framework, but not its middleware, because only the read is limited. The response can be a stream
/// that lasts for hours.
/// </para>
/// </summary>
internal sealed class ReadLimit(HttpSettings settings) : IDisposable
{
    private readonly ConcurrencyLimiter _limiter = new(
        new ConcurrencyLimiterOptions
        {
            PermitLimit = settings.MaxReads,
            QueueLimit = settings.MaxWaitingReads,
            QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
        }
    );

    /// <summary>Waits until the request may read. Dispose the returned object after the read.</summary>
    /// <param name="context">The request.</param>
    /// <param name="deadline">Cancelled when the request has waited for too long.</param>
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.Overloaded"/>: too many requests wait, or the request waited for too long.
    /// </exception>
    public async ValueTask<IDisposable> EnterAsync(HttpContext context, CancellationToken deadline)
    {
        try
        {
            var lease = await _limiter.AcquireAsync(1, deadline);
            if (lease.IsAcquired)
            {
                return lease;
            }
            lease.Dispose();
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            // the request waited for too long
        }
        throw new FaultException(
            FaultCodes.Overloaded,
            "too many requests read from the store at the same time",
            "try again after the delay in Retry-After, and watch events instead of polling the state"
        );
    }

    public void Dispose() => _limiter.Dispose();
}
