using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Compilation;

/// <summary>
/// Reads from whom and until when an answer is expected: <c>recipient</c>, <c>timeout_seconds</c>, <c>on_timeout</c> and <c>escalate</c>,
/// in an entry of <c>interrupt_on</c> or in the field <c>answer</c> of a node.
/// </summary>
internal static class AnswerTermsReader
{
    /// <summary>The longest timeout: a year.</summary>
    private const double MaxSeconds = 366 * 86_400;

    private const int MaxEscalations = 20;
    private const int MaxRecipient = 1_000;

    private static readonly string[] Fields = ["recipient", "timeout_seconds", "on_timeout", "escalate"];
    private static readonly string[] EscalationFields = ["after_seconds", "recipient"];

    /// <param name="json">The object, or undefined for none.</param>
    /// <param name="decisions">The decisions that the question allows.</param>
    /// <param name="fallback">The decision that is used if <c>on_timeout</c> is missing.</param>
    /// <param name="otherFields">The names of further fields that the object may have.</param>
    /// <param name="fault">What is wrong, or "".</param>
    public static InterruptTerms Read(
        JsonElement json,
        IReadOnlyCollection<string> decisions,
        string fallback,
        IReadOnlyCollection<string> otherFields,
        out string fault
    )
    {
        fault = "";
        if (json.ValueKind != JsonValueKind.Object)
        {
            fault = json.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null ? "" : "the value is not an object";
            return InterruptTerms.None;
        }
        fault = Unknown(json, [.. Fields, .. otherFields]);
        var recipient = ReadRecipient(json, ref fault);
        var timeout = ReadSeconds(json, "timeout_seconds", ref fault);
        var escalations = ReadEscalations(json, timeout, ref fault);
        var onTimeout = ReadOnTimeout(json, timeout, decisions, fallback, ref fault);
        return new InterruptTerms
        {
            Recipient = recipient,
            Timeout = timeout,
            OnTimeout = onTimeout,
            Escalations = escalations,
        };
    }

    private static string Unknown(JsonElement json, IReadOnlyCollection<string> known) =>
        json.EnumerateObject().Select(static field => field.Name).FirstOrDefault(name => name != "$comment" && !known.Contains(name))
            is { } other
            ? $"there is no field '{other}'; the fields are {string.Join(", ", known)}"
            : "";

    private static string? ReadRecipient(JsonElement json, ref string fault)
    {
        if (json.Property("recipient") is not { } recipient)
        {
            return null;
        }
        if (recipient.ValueKind == JsonValueKind.String && WellFormedText.Of(recipient) is { Length: > 0 and <= MaxRecipient } text)
        {
            return text;
        }
        fault = $"'recipient' is not a text of 1 to {MaxRecipient} characters";
        return null;
    }

    private static TimeSpan? ReadSeconds(JsonElement json, string name, ref string fault)
    {
        if (json.Property(name) is not { } number)
        {
            return null;
        }
        if (number.ValueKind == JsonValueKind.Number && number.TryGetDouble(out var seconds) && seconds is > 0 and <= MaxSeconds)
        {
            return TimeSpan.FromSeconds(seconds);
        }
        fault = string.Create(CultureInfo.InvariantCulture, $"'{name}' is not a number of seconds above 0 and up to {MaxSeconds}");
        return null;
    }

    private static ImmutableArray<Escalation> ReadEscalations(JsonElement json, TimeSpan? timeout, ref string fault)
    {
        if (json.Property("escalate") is not { } list)
        {
            return [];
        }
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() > MaxEscalations)
        {
            fault = $"'escalate' is not a list of at most {MaxEscalations} objects";
            return [];
        }
        var escalations = ImmutableArray.CreateBuilder<Escalation>();
        foreach (var item in list.EnumerateArray())
        {
            var itemFault = item.ValueKind == JsonValueKind.Object ? Unknown(item, EscalationFields) : "the value is not an object";
            if (itemFault.Length == 0)
            {
                var (after, recipient) = (ReadSeconds(item, "after_seconds", ref itemFault), ReadRecipient(item, ref itemFault));
                if (itemFault.Length == 0 && after is { } time && recipient is not null)
                {
                    escalations.Add(new Escalation(time, recipient));
                    continue;
                }
            }
            fault = itemFault.Length > 0 ? $"'escalate': {itemFault}" : "'escalate': each item needs 'after_seconds' and 'recipient'";
            return [];
        }
        if (timeout is { } limit && escalations.Any(it => it.After >= limit))
        {
            fault = "'escalate': 'after_seconds' must be less than 'timeout_seconds'";
        }
        return [.. escalations.OrderBy(static it => it.After)];
    }

    private static JsonElement? ReadOnTimeout(
        JsonElement json,
        TimeSpan? timeout,
        IReadOnlyCollection<string> decisions,
        string fallback,
        ref string fault
    )
    {
        var given = json.Property("on_timeout");
        if (timeout is not { } limit)
        {
            fault = given is null ? fault : "'on_timeout' needs 'timeout_seconds'";
            return null;
        }
        var decision = given switch
        {
            null => fallback,
            { ValueKind: JsonValueKind.String } text => WellFormedText.Of(text),
            { } answer => answer.TextProperty("decision") ?? "",
        };
        if (decision != InterruptTerms.Fail && !decisions.Contains(decision))
        {
            fault = $"'on_timeout' is not one of {string.Join(", ", decisions.Append(InterruptTerms.Fail))}";
        }
        else if (decision == "edit" && (given?.Property("arguments") ?? given?.Property("args")) is not { ValueKind: JsonValueKind.Object })
        {
            fault = """'on_timeout': to edit, write {"decision": "edit", "arguments": {...}}""";
        }
        else if (decision == "respond" && given?.Property("value") is null && given?.Property("message") is null)
        {
            fault = """'on_timeout': to respond, write {"decision": "respond", "value": ...}""";
        }
        return given is { ValueKind: JsonValueKind.Object } ? given : Default(decision, limit);
    }

    private static JsonElement Default(string decision, TimeSpan limit) =>
        JsonBytes.Element(
            (decision, limit),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("decision"u8, it.decision);
                if (it.decision == "reject")
                {
                    writer.WriteString(
                        "message"u8,
                        string.Create(CultureInfo.InvariantCulture, $"Nobody answered within {it.limit.TotalSeconds:0.###} s.")
                    );
                }
                writer.WriteEndObject();
            }
        );
}
