using AgentExecutor.Core.Messaging;
using NATS.Client.JetStream.Models;

namespace AgentExecutor.Adapters.Nats;

/// <summary>The streams and the consumer as the service creates them.</summary>
internal sealed class WantedStreams(NatsSettings settings, BusSettings bus)
{
    /// <summary>How many jobs all workers together may hold. Each worker holds only as many as it has slots.</summary>
    private const int MaxAckPending = 100_000;

    public string Consumer => settings.ConsumerGroup;

    public string NameOf(BusStream kind) =>
        kind switch
        {
            BusStream.Jobs => settings.StreamName,
            BusStream.Results => "AGENT_RESULTS",
            _ => "AGENT_DEAD_LETTERS",
        };

    /// <summary>The subjects of a kind of messages, as in the configuration of a stream or the filter of a consumer.</summary>
    public static string SubjectsOf(BusStream kind) => $"{BusSubjects.PrefixOf(kind)}*";

    /// <summary>The name for messages of a kind in logs.</summary>
    public static string Noun(BusStream kind) =>
        kind switch
        {
            BusStream.Jobs => "jobs",
            BusStream.Results => "results",
            _ => "dead letters",
        };

    public StreamConfig Stream(BusStream kind)
    {
        var hours = kind switch
        {
            BusStream.Jobs => bus.JobHours,
            BusStream.Results => bus.ResultHours,
            _ => bus.DeadLetterHours,
        };
        return new StreamConfig(NameOf(kind), [SubjectsOf(kind)])
        {
            Retention = StreamConfigRetention.Limits,
            Storage = StreamConfigStorage.File,
            Discard = StreamConfigDiscard.Old,
            MaxAge = TimeSpan.FromHours(hours),
            DuplicateWindow = TimeSpan.FromMinutes(Math.Min(bus.DuplicateMinutes, hours * 60)),
            NumReplicas = settings.Replicas,
        };
    }

    public ConsumerConfig ConsumerOf(ExistingStream jobs) =>
        new(Consumer)
        {
            AckPolicy = ConsumerConfigAckPolicy.Explicit,
            DeliverPolicy = ConsumerConfigDeliverPolicy.All,
            AckWait = TimeSpan.FromSeconds(bus.AckWaitSeconds),
            MaxAckPending = MaxAckPending,
            MaxDeliver = -1,
            FilterSubject = jobs.FilterFor(SubjectsOf(BusStream.Jobs)),
        };
}
