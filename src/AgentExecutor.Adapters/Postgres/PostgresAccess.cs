using AgentExecutor.Core;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Runs statements on connections of the pool, and again when a failure is one that passes. An outage is logged when it begins and when it ends, however
/// many callers it meets.
/// </summary>
internal sealed class PostgresAccess(NpgsqlDataSource source, TimeSpan patience, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    private long _downSince; // a timestamp of the clock; 0 while the server is there

    public NpgsqlDataSource Source { get; } = source;

    public TimeProvider Time { get; } = time;

    /// <summary>How long to go on trying for one caller.</summary>
    public TimeSpan Patience { get; } = patience;

    /// <summary>Tries until it succeeds, or patience ends.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.StoreUnavailable"/>, or <see cref="FaultCodes.StoreRefused"/> where trying again is no use.</exception>
    public async Task<T> RunAsync<T>(Func<NpgsqlConnection, CancellationToken, Task<T>> use, CancellationToken cancellationToken, TimeSpan? atMost = null)
    {
        var started = Time.GetTimestamp();
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await using var connection = await Source.OpenConnectionAsync(cancellationToken);
                var result = await use(connection, cancellationToken);
                Succeeded();
                return result;
            }
            catch (Exception exception) when (PostgresFaults.IsTransient(exception))
            {
                Failed(exception);
                if (Time.GetElapsedTime(started) > (atMost ?? Patience))
                {
                    throw PostgresFaults.Unavailable(exception);
                }
                await PauseAsync(attempt, cancellationToken);
            }
            catch (PostgresException exception)
            {
                throw PostgresFaults.Refused(exception);
            }
        }
    }

    /// <summary>Doubling, up to a second, and never two callers at the same moment.</summary>
    public Task PauseAsync(int attempt, CancellationToken cancellationToken)
    {
        var longest = Math.Min(FirstPause.TotalMilliseconds * Math.Pow(2, Math.Min(attempt - 1, 10)), LongestPause.TotalMilliseconds);
        return Task.Delay(TimeSpan.FromMilliseconds(longest * (0.5 + (Random.Shared.NextDouble() / 2))), Time, cancellationToken);
    }

    public void Failed(Exception exception)
    {
        if (PostgresFaults.IsConflict(exception) || PostgresFaults.IsLock(exception))
        {
            return;
        }
        Telemetry.DbConnectionErrors.Add(1);
        if (Interlocked.CompareExchange(ref _downSince, Time.GetTimestamp(), 0) == 0)
        {
            Log.Unavailable(logger, PostgresFaults.Describe(exception));
        }
        if (exception is PostgresException { SqlState: PostgresErrorCodes.ReadOnlySqlTransaction })
        {
            Source.Clear(); // a server that became a standby: connections to it are of no use
        }
    }

    public void Succeeded()
    {
        if (Volatile.Read(ref _downSince) != 0 && Interlocked.Exchange(ref _downSince, 0) is not 0 and var since)
        {
            Log.Back(logger, Math.Round(Time.GetElapsedTime(since).TotalSeconds, 1));
        }
    }

    public ValueTask DisposeAsync() => Source.DisposeAsync();
}
