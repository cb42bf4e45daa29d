namespace AgentExecutor.Core.Runs;

/// <summary>A worker's exclusive claim to a thread, which expires unless it is renewed.</summary>
/// <param name="Holder">The id of the worker, which no other worker has or had.</param>
/// <param name="Length">How long the lease is valid after each renewal, by the store's clock.</param>
public sealed record Lease(string Holder, TimeSpan Length)
{
    /// <summary>Creates a lease with a new holder for a worker of this process.</summary>
    public static Lease New(TimeSpan length) => new(Guid.CreateVersion7().ToString("N"), length);
}
