using AgentExecutor.Core;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Runs statements on connections of a pool, and repeats them after transient failures.</summary>
internal sealed class PostgresAccess(PostgresSource source, TimeSpan patience, TimeProvider time, OutageLog outages) : IAsyncDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    public PostgresSource Source { get; } = source;

    public TimeProvider Time { get; } = time;

    /// <summary>How long a call is repeated before it fails.</summary>
    public TimeSpan Patience { get; } = patience;

    /// <summary>True if the last attempt failed.</summary>
    public bool IsUnavailable => outages.IsUnavailable;

    /// <inheritdoc cref="OutageLog.RefusesWrites"/>
    public bool RefusesWrites => outages.RefusesWrites;

    /// <summary>Repeats the call until it succeeds or <see cref="Patience"/> has elapsed.</summary>
    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.StoreUnavailable"/>: the server did not become available in time. <see cref="FaultCodes.StoreRefused"/>:
    /// repeating the call would not help.
    /// </exception>
    public async Task<T> RunAsync<T>(
        Func<PostgresConnection, CancellationToken, Task<T>> use,
        CancellationToken cancellationToken,
        TimeSpan? timeout = null
    )
    {
        var started = Time.GetTimestamp();
        var isRepeated = false;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await using var connection = await Source.OpenAsync(cancellationToken);
                var result = await use(connection, cancellationToken);
                Succeeded();
                return result;
            }
            catch (PostgresException exception) when (PostgresFaults.IsPooler(exception) && !isRepeated)
            {
                isRepeated = true;
                Failed(exception);
            }
            catch (Exception exception) when (PostgresFaults.IsTransient(exception))
            {
                Failed(exception);
                if (Time.GetElapsedTime(started) > (timeout ?? Patience))
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

    /// <summary>Waits before the next attempt. The pause doubles up to one second, with random jitter.</summary>
    public Task PauseAsync(int attempt, CancellationToken cancellationToken)
    {
        var longest = Math.Min(FirstPause.TotalMilliseconds * Math.Pow(2, Math.Min(attempt - 1, 10)), LongestPause.TotalMilliseconds);
        return Task.Delay(TimeSpan.FromMilliseconds(longest * (0.5 + (Random.Shared.NextDouble() / 2))), Time, cancellationToken);
    }

    public void Failed(Exception exception)
    {
        if (PostgresFaults.IsPooler(exception))
        {
            Source.ReportPooler(PostgresFaults.Describe(exception));
            // This is not an outage. The statement is repeated in a form that works with a pooler.
            return;
        }
        outages.Failed(exception);
        if (exception is PostgresException { SqlState: PostgresErrorCodes.ReadOnlySqlTransaction })
        {
            // The server has become a standby, so its connections are of no use.
            Source.Clear();
        }
    }

    public void Succeeded() => outages.Succeeded();

    public void AcceptsWrites() => outages.AcceptsWrites();

    public ValueTask DisposeAsync() => Source.DisposeAsync();
}
