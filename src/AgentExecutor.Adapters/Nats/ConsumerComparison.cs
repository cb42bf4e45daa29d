using System.Text.Json.Nodes;
using NATS.Client.JetStream.Models;

namespace AgentExecutor.Adapters.Nats;

/// <summary>Compares the consumer that all workers share with the one that the service needs.</summary>
internal static class ConsumerComparison
{
    /// <param name="name">The name of the consumer in logs, including that of its stream.</param>
    /// <param name="found">Its configuration.</param>
    /// <param name="wanted">The configuration with which the service would create it.</param>
    /// <param name="subjects">The subjects that a filter must cover.</param>
    public static DifferenceList Of(string name, ConsumerConfig found, ConsumerConfig wanted, string subjects)
    {
        var differences = new DifferenceList();
        if (found.AckPolicy != wanted.AckPolicy)
        {
            var consequence =
                found.AckPolicy == ConsumerConfigAckPolicy.None
                    ? "a job whose worker dies before it is stored is not delivered again"
                    : "acknowledging a job acknowledges all jobs before it";
            differences.Add(
                $"acknowledgement is {found.AckPolicy}, not {wanted.AckPolicy}",
                $"With the consumer {name}, {consequence}",
                null
            );
        }
        if (found.AckWait != wanted.AckWait || found.Backoff is { Count: > 0 })
        {
            differences.Add(
                $"ack wait is {found.AckWait}, not {wanted.AckWait}",
                $"The consumer {name} delivers a job again {found.AckWait} after its worker has died. "
                    + "Workers extend the acknowledgement wait of their jobs accordingly",
                new JsonObject { ["ack_wait"] = ConfigurationDifference.Nanoseconds(wanted.AckWait), ["backoff"] = null }
            );
        }
        if (found.MaxAckPending is > 0 and var pending && pending < wanted.MaxAckPending)
        {
            differences.Add(
                $"max ack pending is {pending}, not {wanted.MaxAckPending}",
                $"All workers together can hold at most {pending} jobs of the consumer {name}",
                new JsonObject { ["max_ack_pending"] = wanted.MaxAckPending }
            );
        }
        if (found.MaxDeliver > 0)
        {
            differences.Add(
                $"max deliver is {found.MaxDeliver}, not {wanted.MaxDeliver}",
                $"The consumer {name} delivers a job at most {found.MaxDeliver} times, " + "even if no worker has stored it",
                new JsonObject { ["max_deliver"] = wanted.MaxDeliver }
            );
        }
        if (found.FilterSubject is { Length: > 0 } filter && !SubjectPattern.Covers(filter, subjects))
        {
            differences.Add($"its filter is {filter}, not {subjects}", $"The consumer {name} delivers only the jobs on {filter}", null);
        }
        else if (found.FilterSubject is null or "" && wanted.FilterSubject is { } wantedFilter)
        {
            differences.Add(
                $"it has no filter, not {wantedFilter}",
                $"The consumer {name} also delivers other messages of its stream, which are acknowledged and skipped",
                new JsonObject { ["filter_subject"] = wantedFilter }
            );
        }
        return differences;
    }
}
