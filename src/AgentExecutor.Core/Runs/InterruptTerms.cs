using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Runs;

/// <summary>From whom and until when an answer is expected.</summary>
public sealed record InterruptTerms
{
    /// <summary>The decision of <see cref="OnTimeout"/> that fails the run.</summary>
    public const string Fail = "fail";

    public static readonly InterruptTerms None = new();

    /// <summary>True if a program answers: the question is a call of a tool that is executed elsewhere.</summary>
    public bool IsToolCall { get; init; }

    /// <summary>Who is asked, in the form that the receiver of the events understands, or null.</summary>
    public string? Recipient { get; init; }

    /// <summary>The time after which <see cref="OnTimeout"/> is used as the answer, or null for no limit.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>
    /// The answer that is used when the timeout has passed. The decision <see cref="Fail"/> fails the run. Null if there is no timeout.
    /// </summary>
    public JsonElement? OnTimeout { get; init; }

    /// <summary>When and to whom the question is announced again while nobody answers, in the order of time.</summary>
    public ImmutableArray<Escalation> Escalations { get; init; } = [];

    /// <summary>True if the answer fails the run, because nobody has answered in time.</summary>
    public bool Fails(JsonElement answer) =>
        OnTimeout is { } onTimeout && onTimeout.TextProperty("decision") == Fail && answer.TextProperty("decision") == Fail;

    /// <summary>Writes the members into an object that is open.</summary>
    internal void WriteMembers(Utf8JsonWriter writer)
    {
        if (IsToolCall)
        {
            writer.WriteString("kind"u8, "tool_call"u8);
        }
        if (Recipient is not null)
        {
            writer.WriteString("recipient"u8, Recipient);
        }
        if (Timeout is { } timeout)
        {
            writer.WriteNumber("timeout_seconds"u8, timeout.TotalSeconds);
        }
        if (OnTimeout is { } onTimeout)
        {
            writer.WritePropertyName("on_timeout"u8);
            onTimeout.WriteTo(writer);
        }
        if (!Escalations.IsEmpty)
        {
            writer.WriteStartArray("escalate"u8);
            foreach (var escalation in Escalations)
            {
                writer.WriteStartObject();
                writer.WriteNumber("after_seconds"u8, escalation.After.TotalSeconds);
                writer.WriteString("recipient"u8, escalation.Recipient);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
        }
    }

    /// <summary>Reads the members that <see cref="WriteMembers"/> writes.</summary>
    internal static InterruptTerms Read(JsonElement json) =>
        new()
        {
            IsToolCall = json.TextProperty("kind") == "tool_call",
            Recipient = json.TextProperty("recipient"),
            Timeout = Seconds(json, "timeout_seconds"),
            OnTimeout = json.Property("on_timeout"),
            Escalations = json.Property("escalate") is { ValueKind: JsonValueKind.Array } list
                ? [.. list.EnumerateArray().Select(ReadEscalation)]
                : [],
        };

    private static Escalation ReadEscalation(JsonElement json) =>
        new(Seconds(json, "after_seconds") ?? TimeSpan.Zero, json.TextProperty("recipient") ?? "");

    private static TimeSpan? Seconds(JsonElement json, string name) =>
        json.Property(name) is { ValueKind: JsonValueKind.Number } number && number.TryGetDouble(out var seconds)
            ? TimeSpan.FromSeconds(seconds)
            : null;
}

/// <summary>A later announcement of a question that nobody has answered.</summary>
/// <param name="After">How long after the question was asked it is announced again.</param>
/// <param name="Recipient">Who is asked then.</param>
public sealed record Escalation(TimeSpan After, string Recipient);
