using NATS.Client.JetStream.Models;

namespace AgentExecutor.Adapters.Nats;

/// <summary>An existing stream that stores messages of one kind.</summary>
/// <param name="Config">The configuration of the stream as the server reports it.</param>
/// <param name="IsOwn">
/// True if the stream has the name that the service uses. The service does not change a stream with another name.
/// </param>
internal sealed record ExistingStream(StreamConfig Config, bool IsOwn)
{
    public string Name => Config.Name ?? "";

    /// <summary>
    /// Returns the filter with which a consumer delivers only messages on this subject, or null if the stream has no other subjects or none
    /// that matches.
    /// </summary>
    public string? FilterFor(string subject) =>
        Config.Subjects is { Count: 1 } one && one.First().Equals(subject, StringComparison.Ordinal) ? null
        : Config.Subjects?.Any(pattern => SubjectPattern.Overlap(pattern, subject)) == true ? subject
        : null;

    /// <summary>
    /// True if a consumer can read the messages without acknowledging them. Other streams delete messages when they are acknowledged.
    /// </summary>
    public bool IsLog => Config.Retention == StreamConfigRetention.Limits;
}
