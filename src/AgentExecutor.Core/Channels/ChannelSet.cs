using System.Collections.Frozen;
using System.Collections.Immutable;

namespace AgentExecutor.Core.Channels;

/// <summary>The channels of a graph, each with a fixed index. Immutable.</summary>
public sealed class ChannelSet
{
    private readonly FrozenDictionary<string, int> _byName;

    public ChannelSet(ImmutableArray<Channel> channels)
    {
        Channels = channels;
        _byName = channels.Select((channel, index) => KeyValuePair.Create(channel.Name, index)).ToFrozenDictionary(StringComparer.Ordinal);
    }

    public ImmutableArray<Channel> Channels { get; }

    public int Count => Channels.Length;

    public Channel this[int index] => Channels[index];

    /// <summary>Returns the channel's index, or -1 if it does not exist.</summary>
    public int IndexOf(string name) => _byName.GetValueOrDefault(name, -1);

    /// <summary>Returns the channel's index.</summary>
    /// <exception cref="FaultException">There is no such channel (<see cref="FaultCodes.UnknownChannel"/>).</exception>
    public int Require(string name) =>
        IndexOf(name) is >= 0 and var index
            ? index
            : throw new FaultException(
                FaultCodes.UnknownChannel,
                $"there is no channel '{name}'; the channels are {string.Join(", ", Channels.Select(channel => channel.Name))}",
                "use one of these names, or declare the channel in state_schema or initial_state"
            );

    /// <summary>
    /// Returns these channels plus a last-value channel for each name that is missing. Fields of an input that are not declared become such
    /// channels.
    /// </summary>
    public ChannelSet With(IEnumerable<string> names)
    {
        var added = names.Where(name => IndexOf(name) < 0).Distinct().Select(Channel (name) => new LastValueChannel(name)).ToArray();
        return added.Length == 0 ? this : new ChannelSet([.. Channels, .. added]);
    }
}
