namespace AgentExecutor.Core.Checkpoints;

/// <summary>
/// The channel values that only deleted checkpoints refer to. Each value is deleted together with the last of these checkpoints.
/// </summary>
public sealed class ValuesToDelete
{
    private readonly Dictionary<(string Channel, int Version), int> _names = [];

    public ValuesToDelete(IEnumerable<StoredCheckpoint> gone, IEnumerable<StoredCheckpoint> kept)
    {
        var needed = kept.SelectMany(it => it.Channels).Select(channel => (channel.Name, channel.Version)).ToHashSet();
        foreach (var channel in gone.SelectMany(it => it.Channels))
        {
            var value = (channel.Name, channel.Version);
            if (!needed.Contains(value))
            {
                _names[value] = _names.GetValueOrDefault(value) + 1;
            }
        }
    }

    /// <summary>Returns the values that no checkpoint refers to once these checkpoints are deleted.</summary>
    public IReadOnlyList<(string Channel, int Version)> After(IEnumerable<StoredCheckpoint> batch)
    {
        var free = new List<(string Channel, int Version)>();
        foreach (var channel in batch.SelectMany(it => it.Channels))
        {
            var value = (channel.Name, channel.Version);
            if (_names.TryGetValue(value, out var count))
            {
                _names[value] = count - 1;
                if (count == 1)
                {
                    free.Add(value);
                }
            }
        }
        return free;
    }

    /// <summary>Reverts <see cref="After"/> because these checkpoints were not deleted.</summary>
    public void Undo(IEnumerable<StoredCheckpoint> batch)
    {
        foreach (var channel in batch.SelectMany(it => it.Channels))
        {
            if (_names.TryGetValue((channel.Name, channel.Version), out var count))
            {
                _names[(channel.Name, channel.Version)] = count + 1;
            }
        }
    }
}
