using System.Text;

namespace AgentExecutor.Core.Messaging;

/// <summary>Collects the faults of one event.</summary>
/// <param name="prefix">The index of the event in a batch. It precedes every path.</param>
internal sealed class EventFaults(string prefix = "")
{
    // A hostile message could contain as many faults as bytes, and a person rarely fixes more than these at once.
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

    /// <summary>Returns the faults of a message that has only one.</summary>
    public static IReadOnlyList<EventFault> One(string path, string message, string hint) => [new EventFault(path, Clean(message), hint)];

    /// <summary>Quotes a value, shortened if it is long.</summary>
    public static string Quote(string value) => value.Length > 80 ? $"'{value[..80]}...'" : $"'{value}'";

    public static string Under(string owner, string name) => owner.Length == 0 ? name : $"{owner}.{name}";

    /// <summary>Cleans a text from a sender for logs, headers and problem+json: it has no line breaks and no unpaired surrogates.</summary>
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
