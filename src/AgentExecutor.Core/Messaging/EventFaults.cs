using System.Text;

namespace AgentExecutor.Core.Messaging;

/// <summary>Gathers the faults of one event.</summary>
/// <param name="prefix">Stands before every path: the event's place in a batch.</param>
internal sealed class EventFaults(string prefix = "")
{
    // A hostile message could hold as many faults as bytes; nobody mends more than these in one go.
    private const int MaxFaults = 50;
    private const int MaxText = 300;

    private List<EventFault>? _faults;

    public bool Any => _faults is not null;

    public void Add(string path, string message, string hint)
    {
        _faults ??= [];
        if (_faults.Count < MaxFaults)
        {
            _faults.Add(new EventFault(Clean(path.Length == 0 ? prefix : Under(prefix, path)), Clean(message), hint));
        }
    }

    /// <exception cref="EventException">There are faults.</exception>
    public void ThrowIfAny()
    {
        if (Any)
        {
            throw ToException();
        }
    }

    public EventException ToException() => new(FaultCodes.InvalidEvent, _faults!);

    /// <summary>The faults of a message that has but one.</summary>
    public static IReadOnlyList<EventFault> One(string path, string message, string hint) => [new EventFault(path, Clean(message), hint)];

    /// <summary>A value in quotes, shortened.</summary>
    public static string Quote(string value) => value.Length > 80 ? $"'{value[..80]}...'" : $"'{value}'";

    public static string Under(string owner, string name) => owner.Length == 0 ? name : $"{owner}.{name}";

    /// <summary>What a sender wrote goes to logs, headers and problem+json: no line breaks, no half characters.</summary>
    private static string Clean(string text)
    {
        if (text.Length <= MaxText && !text.Any(it => char.IsControl(it) || char.IsSurrogate(it)))
        {
            return text;
        }
        var clean = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            if (clean.Length >= MaxText)
            {
                clean.Append("...");
                break;
            }
            clean.Append((Rune.IsControl(rune) ? Rune.ReplacementChar : rune).ToString());
        }
        return clean.ToString();
    }
}
