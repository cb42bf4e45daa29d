using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Runs;

/// <summary>A question to a person, or a call of a tool that is executed elsewhere. The task waits for the answer.</summary>
/// <param name="Id">Unique in the thread and stable across restarts.</param>
/// <param name="Value">The question, as the task formulated it.</param>
public sealed record InterruptRequest(string Id, JsonElement Value)
{
    /// <summary>From whom and until when the answer is expected.</summary>
    public InterruptTerms Terms { get; init; } = InterruptTerms.None;

    /// <summary>When the question was asked, or null if the time does not matter.</summary>
    public DateTimeOffset? AskedAt { get; init; }

    /// <summary>The time from which the default answer is used, or null for no limit.</summary>
    public DateTimeOffset? Deadline => AskedAt + Terms.Timeout;

    /// <summary>
    /// When something must be done if nobody answers: the next announcement after the given number of them, or the deadline. Null if
    /// nothing is to be done.
    /// </summary>
    /// <param name="escalation">How often the question was announced again.</param>
    public DateTimeOffset? DueAfter(int escalation)
    {
        var next = escalation < Terms.Escalations.Length ? AskedAt + Terms.Escalations[escalation].After : null;
        return next is { } announcement && (Deadline is not { } deadline || announcement < deadline) ? announcement : Deadline;
    }

    public static byte[] Encode(ImmutableArray<InterruptRequest> interrupts) => JsonBytes.Write(interrupts, WriteAll);

    public static void WriteAll(Utf8JsonWriter writer, ImmutableArray<InterruptRequest> interrupts)
    {
        writer.WriteStartArray();
        foreach (var interrupt in interrupts)
        {
            interrupt.Write(writer);
        }
        writer.WriteEndArray();
    }

    public static ImmutableArray<InterruptRequest> Decode(ReadOnlyMemory<byte> json) =>
        [.. StoredJson.Parse(json.Span).EnumerateArray().Select(Read)];

    public byte[] Encode() => JsonBytes.Write(this, static (writer, it) => it.Write(writer));

    public static InterruptRequest DecodeOne(ReadOnlyMemory<byte> json) => Read(StoredJson.Parse(json.Span));

    /// <summary>Writes the question as an object.</summary>
    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        WriteMembers(writer);
        writer.WriteEndObject();
    }

    /// <summary>Writes the members of the question into an object that is open.</summary>
    public void WriteMembers(Utf8JsonWriter writer)
    {
        writer.WriteString("id"u8, Id);
        writer.WritePropertyName("value"u8);
        Value.WriteTo(writer);
        if (AskedAt is { } askedAt)
        {
            writer.WriteString("asked_at"u8, askedAt);
        }
        if (Deadline is { } deadline)
        {
            writer.WriteString("deadline"u8, deadline);
        }
        Terms.WriteMembers(writer);
    }

    /// <summary>Reads a question that has an id.</summary>
    public static InterruptRequest Read(JsonElement json) =>
        new(json.TextProperty("id")!, json.Property("value") ?? StoredJson.Parse("null"u8))
        {
            Terms = InterruptTerms.Read(json),
            AskedAt =
                json.Property("asked_at") is { ValueKind: JsonValueKind.String } time && time.TryGetDateTimeOffset(out var at) ? at : null,
        };
}
