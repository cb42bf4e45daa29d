namespace AgentExecutor.Core.Runs;

/// <summary>A worker's claim to a thread, which ends unless it is renewed.</summary>
/// <param name="Holder">The worker, by an id that no other has or had.</param>
/// <param name="Length">How long it lasts from each renewal, by the store's clock.</param>
public sealed record Lease(string Holder, TimeSpan Length)
{
    /// <summary>For a worker of this process.</summary>
    public static Lease New(TimeSpan length) => new(Guid.CreateVersion7().ToString("N"), length);
}
