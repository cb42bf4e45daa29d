using System.Collections.Concurrent;

namespace AgentExecutor.Adapters.Nats;

/// <summary>
/// The calls that wait for the server. A call fails at once when the connection is lost, or when the server reports that the user must not
/// use a subject of the call. The client reports both independently of the call, which would otherwise wait until its timeout.
/// </summary>
internal sealed class CallsInFlight
{
    private readonly ConcurrentDictionary<Call, bool> _calls = new();

    /// <param name="uses">Returns whether the call needs to publish or subscribe to a subject.</param>
    /// <param name="run">The call.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <exception cref="NatsBusException">The connection was lost, or a subject is not permitted.</exception>
    public async Task<T> RunAsync<T>(Predicate<string> uses, Func<CancellationToken, Task<T>> run, CancellationToken cancellationToken)
    {
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var call = new Call(uses, cancellation);
        _calls.TryAdd(call, true);
        try
        {
            return await run(cancellation.Token);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new NatsBusException(NatsBusFault.Unavailable, call.Failure ?? "the connection was lost", exception);
        }
        finally
        {
            _calls.TryRemove(call, out _);
        }
    }

    public Task FailAllAsync(string reason) => FailAsync(static _ => true, reason);

    public Task FailCallsOnAsync(string subject, string reason) => FailAsync(call => call.Uses(subject), reason);

    private async Task FailAsync(Predicate<Call> concerned, string reason)
    {
        foreach (var (call, _) in _calls.Where(entry => concerned(entry.Key)))
        {
            await call.FailAsync(reason);
        }
    }

    private sealed class Call(Predicate<string> uses, CancellationTokenSource cancellation)
    {
        public string? Failure { get; private set; }

        public bool Uses(string subject) => uses(subject);

        public async Task FailAsync(string reason)
        {
            Failure ??= reason;
            try
            {
                await cancellation.CancelAsync();
            }
            catch (ObjectDisposedException)
            {
                // The call has ended in the meantime.
            }
        }
    }
}
