using System.Collections.Frozen;

namespace AgentExecutor.Core.Channels;

/// <summary>The reducers by their names in definitions. Add a new reducer to this table.</summary>
public static class ChannelKinds
{
    private static readonly FrozenDictionary<string, Func<string, Channel>> Factories = new Dictionary<string, Func<string, Channel>>
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

    public static IReadOnlyList<string> All { get; } = [.. Factories.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Creates a channel of this kind. Returns null if the kind does not exist.</summary>
    public static Channel? Create(string kind, string name) => Factories.TryGetValue(kind, out var create) ? create(name) : null;
}
