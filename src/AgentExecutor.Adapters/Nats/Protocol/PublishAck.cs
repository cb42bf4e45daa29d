using System.Text.Json.Serialization;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>The stream has the message.</summary>
/// <param name="IsDuplicate">It had it before, by its id: nothing was added.</param>
internal sealed record PublishAck(string Stream, [property: JsonPropertyName("seq")] ulong Sequence, [property: JsonPropertyName("duplicate")] bool IsDuplicate = false);

/// <summary>What must hold for a message to be added; otherwise the publish is refused.</summary>
internal sealed record PublishExpectations
{
    public static readonly PublishExpectations None = new();

    /// <summary>A message with the same id is added once in the stream's duplicate window.</summary>
    public string? MsgId { get; init; }

    public string? ExpectedStream { get; init; }

    /// <summary>The stream's last sequence.</summary>
    public ulong? ExpectedLastSequence { get; init; }

    /// <summary>The last sequence of the message's own subject; 0 where there is to be none.</summary>
    public ulong? ExpectedLastSubjectSequence { get; init; }

    public string? ExpectedLastMsgId { get; init; }

    /// <summary>The headers with these added; the given ones stay as they are.</summary>
    public NatsHeaders? AddTo(NatsHeaders? headers)
    {
        if (this == None)
        {
            return headers;
        }
        var all = new NatsHeaders();
        foreach (var (name, value) in headers ?? NatsHeaders.Empty)
        {
            all.Add(name, value);
        }
        Add(all, "Nats-Msg-Id", MsgId);
        Add(all, "Nats-Expected-Stream", ExpectedStream);
        Add(all, "Nats-Expected-Last-Sequence", ExpectedLastSequence);
        Add(all, "Nats-Expected-Last-Subject-Sequence", ExpectedLastSubjectSequence);
        Add(all, "Nats-Expected-Last-Msg-Id", ExpectedLastMsgId);
        return all;
    }

    private static void Add(NatsHeaders headers, string name, object? value)
    {
        if (value is not null)
        {
            headers.Add(name, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{value}"));
        }
    }
}
