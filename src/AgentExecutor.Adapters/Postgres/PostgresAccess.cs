using AgentExecutor.Core;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>
/// Runs statements on connections of a pool, and again when a failure is one that passes.
/// </summary>
internal sealed class PostgresAccess(NpgsqlDataSource source, TimeSpan patience, TimeProvider time, OutageLog outages) : IAsyncDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    public NpgsqlDataSource Source { get; } = source;

    public TimeProvider Time { get; } = time;

    /// <summary>How long to go on trying for one caller.</summary>
    public TimeSpan Patience { get; } = patience;

    /// <summary>The last try failed.</summary>
    public bool IsAway => outages.IsAway;

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
        outages.Failed(exception);
        if (exception is PostgresException { SqlState: PostgresErrorCodes.ReadOnlySqlTransaction })
        {
            Source.Clear(); // a server that became a standby: connections to it are of no use
        }
    }

    public void Succeeded() => outages.Succeeded();

    public ValueTask DisposeAsync() => Source.DisposeAsync();
}
