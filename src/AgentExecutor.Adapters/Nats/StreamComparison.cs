using System.Text.Json.Nodes;
using AgentExecutor.Core.Messaging;
using NATS.Client.JetStream.Models;

namespace AgentExecutor.Adapters.Nats;

/// <summary>
/// Compares an existing stream with the one that the service needs. It only reports what is insufficient. A stream that stores messages for
/// longer or with more replicas was configured like that on purpose, and reducing it would delete messages.
/// </summary>
internal static class StreamComparison
{
    public static DifferenceList Of(BusStream kind, StreamConfig found, StreamConfig wanted)
    {
        var differences = new DifferenceList();
        var (name, what) = (found.Name, WantedStreams.Noun(kind));
        if (found.Storage != wanted.Storage)
        {
            differences.Add(
                $"storage is {found.Storage}, not {wanted.Storage}",
                $"NATS keeps {name} in memory: {Lost(kind)} are lost when the server restarts",
                null
            );
        }
        if (found.Retention != wanted.Retention)
        {
            differences.Add($"retention is {Text(found.Retention)}, not {Text(wanted.Retention)}", Retention(kind, found), null);
        }
        if (wanted.Subjects!.Where(subject => !SubjectPattern.AnyCovers(found.Subjects, subject)).ToList() is { Count: > 0 } missing)
        {
            differences.Add(
                $"subjects are {string.Join(' ', found.Subjects ?? [])}, without {string.Join(' ', missing)}",
                $"{name} does not store {what} on {string.Join(' ', missing)}",
                ConfigurationDifference.Subjects([.. found.Subjects ?? [], .. missing])
            );
        }
        if (found.MaxAge > TimeSpan.Zero && found.MaxAge < wanted.MaxAge)
        {
            var also = kind == BusStream.Jobs ? ", including those that no worker has received yet" : "";
            differences.Add(
                $"max age is {found.MaxAge}, not {wanted.MaxAge}",
                $"NATS deletes {what} from {name} after {found.MaxAge}{also}",
                new JsonObject { ["max_age"] = ConfigurationDifference.Nanoseconds(wanted.MaxAge) }
            );
        }
        if (found.Discard == StreamConfigDiscard.New)
        {
            differences.Add(
                $"discard is {found.Discard}, not {wanted.Discard}",
                $"{name} rejects new {what} when it is full",
                new JsonObject { ["discard"] = "old" }
            );
        }
        // This has no consequence: a message that is published again after the window is found in the stream, or recognized by its job.
        if (found.DuplicateWindow < wanted.DuplicateWindow)
        {
            differences.Add(
                $"duplicate window is {found.DuplicateWindow}, not {wanted.DuplicateWindow}",
                "",
                new JsonObject { ["duplicate_window"] = ConfigurationDifference.Nanoseconds(wanted.DuplicateWindow) }
            );
        }
        if (found.NumReplicas < wanted.NumReplicas)
        {
            differences.Add(
                $"replicas is {found.NumReplicas}, not {wanted.NumReplicas}",
                $"{name} has {found.NumReplicas} of {wanted.NumReplicas} replicas: "
                    + $"{what} are lost or unavailable when the servers with its replicas fail",
                new JsonObject { ["num_replicas"] = wanted.NumReplicas }
            );
        }
        return differences;
    }

    private static string Retention(BusStream kind, StreamConfig found) =>
        (kind, found.Retention) switch
        {
            (BusStream.Jobs, StreamConfigRetention.Workqueue) =>
                $"{found.Name} deletes a job when it is acknowledged, and accepts no second consumer",
            (_, StreamConfigRetention.Workqueue) => $"{found.Name} deletes {WantedStreams.Noun(kind)} when a consumer acknowledges them: "
                + "they cannot be found later, and after an outage a result may be published twice",
            _ => $"{found.Name} does not store {WantedStreams.Noun(kind)} that no consumer is interested in",
        };

    private static string Text(StreamConfigRetention retention) =>
        retention == StreamConfigRetention.Workqueue ? "WorkQueue" : retention.ToString();

    private static string Lost(BusStream kind) => kind == BusStream.Jobs ? "accepted messages" : WantedStreams.Noun(kind);
}
