using AgentExecutor.Core.Messaging;
using NATS.Client.JetStream.Models;

namespace AgentExecutor.Adapters.Nats;

/// <summary>The streams and the consumer as the service creates them.</summary>
internal sealed class WantedStreams(NatsSettings settings, BusSettings bus)
{
    /// <summary>How many jobs all workers together may hold. Each worker holds only as many as it has slots.</summary>
    private const int MaxAckPending = 100_000;

    public const string InboxStream = "AGENT_INBOX";

    /// <summary>The durable consumer of the inbox, which all workers share.</summary>
    public const string InboxConsumer = "agent-executor-inbox";

    public string Consumer => settings.ConsumerGroup;

    public string NameOf(BusStream kind) =>
        kind switch
        {
            BusStream.Jobs => settings.StreamName,
            BusStream.Results => "AGENT_RESULTS",
            BusStream.ToolRequests => "AGENT_TOOLS",
            BusStream.Inbox => InboxStream,
            _ => "AGENT_DEAD_LETTERS",
        };

    /// <summary>The subjects of a kind of messages, as in the configuration of a stream or the filter of a consumer.</summary>
    public static string SubjectsOf(BusStream kind) => $"{BusSubjects.PrefixOf(kind)}*";

    /// <summary>All subjects of a kind of messages, as in the configuration of its stream.</summary>
    public static string[] AllSubjectsOf(BusStream kind) =>
        kind == BusStream.Inbox ? [BusSubjects.ToolResults, SubjectsOf(kind)] : [SubjectsOf(kind)];

    /// <summary>The name for messages of a kind in logs.</summary>
    public static string Noun(BusStream kind) =>
        kind switch
        {
            BusStream.Jobs => "jobs",
            BusStream.Results => "results",
            BusStream.ToolRequests => "tool calls",
            BusStream.Inbox => "answers",
            _ => "dead letters",
        };

    public StreamConfig Stream(BusStream kind)
    {
        var hours = kind switch
        {
            BusStream.Jobs => bus.JobHours,
            BusStream.Results => bus.ResultHours,
            BusStream.ToolRequests or BusStream.Inbox => bus.ToolHours,
            _ => bus.DeadLetterHours,
        };
        return new StreamConfig(NameOf(kind), AllSubjectsOf(kind))
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
        Config(Consumer) with
        {
            FilterSubject = jobs.FilterFor(SubjectsOf(BusStream.Jobs)),
        };

    /// <summary>
    /// The consumer of the inbox. It has no filter, because it could name only one of the subjects. Other messages of the stream are
    /// acknowledged and skipped.
    /// </summary>
    public ConsumerConfig ConsumerOfInbox() => Config(InboxConsumer);

    private ConsumerConfig Config(string name) =>
        new(name)
        {
            AckPolicy = ConsumerConfigAckPolicy.Explicit,
            DeliverPolicy = ConsumerConfigDeliverPolicy.All,
            AckWait = TimeSpan.FromSeconds(bus.AckWaitSeconds),
            MaxAckPending = MaxAckPending,
            MaxDeliver = -1,
        };
}
