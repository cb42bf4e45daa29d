using System.Text.Json.Nodes;

namespace AgentExecutor.Adapters.Nats;

/// <summary>A property of an existing stream or consumer that does not meet the needs of the service.</summary>
/// <param name="Description">The actual and the required value, in a few words.</param>
/// <param name="Consequence">
/// What the difference means for jobs and results, as a sentence without its full stop, or "" if it does not matter to users.
/// </param>
/// <param name="Change">
/// The fields of the configuration with their new values, or null if NATS cannot change them. A field whose value is null is removed.
/// </param>
internal sealed record ConfigurationDifference(string Description, string Consequence, JsonObject? Change)
{
    public static JsonObject Subjects(IEnumerable<string> subjects) =>
        new() { ["subjects"] = new JsonArray([.. subjects.Select(static subject => (JsonNode)subject)]) };

    /// <summary>Converts a duration to the unit of JetStream.</summary>
    public static JsonNode Nanoseconds(TimeSpan span) => span.Ticks * TimeSpan.NanosecondsPerTick;
}
