namespace AgentExecutor.Server.Commands.Watching;

/// <summary>How long a watcher waits for what.</summary>
internal sealed record WatchPatience
{
    /// <summary>Before the first try after a break.</summary>
    public TimeSpan Least { get; init; } = TimeSpan.FromSeconds(0.2);

    /// <summary>Between two tries, at most.</summary>
    public TimeSpan Most { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>For an answer to begin.</summary>
    public TimeSpan Answer { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>For the next byte: three signs of life of the service, one each 15 s, and a bit.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(50);

    /// <summary>Grows with the tries; by chance, so that all who watched a service that went away do not come back at once.</summary>
    public TimeSpan Before(int tries) => Least + (Random.Shared.NextDouble() * (Ceiling(tries) - Least));

    private TimeSpan Ceiling(int tries) => TimeSpan.FromTicks(Math.Min(Most.Ticks, Least.Ticks << Math.Min(tries + 1, 16)));
}
