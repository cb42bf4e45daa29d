namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// Assigns the ids that the tool calls of one request have on the wire, the same for a call and its result. A server receives its own ids
/// unchanged, and those of other servers in a form that it accepts. The same conversation always gets the same ids, so that the server's
/// prompt cache remains effective.
/// </summary>
/// <param name="demands">The known demands of the server.</param>
internal sealed class CallIdMap(ServerDemand demands)
{
    private readonly HashSet<string> _given = new(StringComparer.Ordinal);
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Queue<string>> _open = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _answered = new(StringComparer.Ordinal);

    /// <summary>The ids as used in the conversation.</summary>
    public IReadOnlySet<string> Given => _given;

    /// <summary>Returns the id of a call on the wire.</summary>
    /// <param name="id">The id in the conversation.</param>
    /// <param name="isOwn">True if this server assigned the id.</param>
    public string Call(string id, bool isOwn)
    {
        _given.Add(id);
        var form = Form(id, isOwn);
        for (var number = 2; !_taken.Add(form); number++)
        {
            // An imported conversation may contain an id twice.
            form = WireNames.ShortId($"{id}#{number}");
        }
        if (!_open.TryGetValue(id, out var open))
        {
            _open[id] = open = new Queue<string>();
        }
        open.Enqueue(form);
        return form;
    }

    public string Result(string id)
    {
        if (_open.TryGetValue(id, out var open) && open.TryDequeue(out var form))
        {
            return _answered[id] = form;
        }
        return _answered.GetValueOrDefault(id) ?? Form(id, isOwn: false);
    }

    private string Form(string id, bool isOwn) =>
        demands.HasFlag(ServerDemand.NineCharacterCallIds)
            ? WireNames.IsShortId(id)
                ? id
                : WireNames.ShortId(id)
            : isOwn && id.Length > 0 && !demands.HasFlag(ServerDemand.PlainCallIds)
                ? id
                : WireNames.Id(id);
}
