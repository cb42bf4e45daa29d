using System.Collections.Frozen;

namespace AgentExecutor.Core.Execution.Channels;

/// <summary>The reducers by the names that definitions say: the table to extend for a new one.</summary>
public static class ChannelKinds
{
    private static readonly FrozenDictionary<string, Func<string, Channel>> Makers = new Dictionary<string, Func<string, Channel>>
    {
        [LastValueChannel.KindName] = name => new LastValueChannel(name),
        [MessagesChannel.KindName] = name => new MessagesChannel(name),
        [FilesChannel.KindName] = name => new FilesChannel(name),
        [AppendChannel.KindName] = name => new AppendChannel(name),
        [MergeChannel.KindName] = name => new MergeChannel(name),
        [SumChannel.KindName] = name => new SumChannel(name),
        [SetChannel.KindName] = name => new SetChannel(name),
        [BarrierChannel.KindName] = name => new BarrierChannel(name),
        [TopicChannel.KindName] = name => new TopicChannel(name),
    }.ToFrozenDictionary();

    public static IReadOnlyList<string> All { get; } = [.. Makers.Keys.Order(StringComparer.Ordinal)];

    /// <summary>A channel of this kind, or null where there is no such kind.</summary>
    public static Channel? Create(string kind, string name) => Makers.TryGetValue(kind, out var maker) ? maker(name) : null;
}
