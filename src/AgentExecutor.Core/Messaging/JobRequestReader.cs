using System.Text.Json;

namespace AgentExecutor.Core.Messaging;

/// <summary>
/// Reads requests for jobs from messages in any mode. If a message is invalid, one <see cref="EventException"/> reports all faults of the
/// envelope and the data.
/// </summary>
public static class JobRequestReader
{
    private const string DataPath = "data";

    /// <exception cref="EventException">The event is not a valid request for a job.</exception>
    public static JobRequest Read(CloudEvent value)
    {
        var faults = new EventFaults();
        var request = Read(value, faults);
        faults.ThrowIfAny();
        return request!;
    }

    /// <summary>Reads a body without an envelope, whose top level is the data, as older senders send it.</summary>
    /// <exception cref="EventException">The body is not a valid request for a job.</exception>
    public static JobRequest ReadBare(ReadOnlyMemory<byte> body)
    {
        var faults = new EventFaults();
        var request = new JobDataReader("", faults).Read(body, envelope: null);
        faults.ThrowIfAny();
        return request!;
    }

    /// <summary>
    /// Reads a message in any mode: structured if the content type says so, binary if there is a header <c>ce-specversion</c>, or else JSON
    /// with or without an envelope, because over NATS a structured event need not have a content type.
    /// </summary>
    /// <param name="headers">The headers. Their <c>Content-Type</c> is used if <paramref name="contentType"/> is null.</param>
    /// <exception cref="EventException">
    /// <see cref="FaultCodes.InvalidEvent"/>: the message is not a valid request. <see cref="FaultCodes.UnsupportedMediaType"/>: the
    /// content type cannot contain a job.
    /// </exception>
    public static JobRequest ReadMessage(string? contentType, IEnumerable<KeyValuePair<string, string>> headers, ReadOnlyMemory<byte> body)
    {
        var isBinary = false;
        foreach (var (name, value) in headers)
        {
            isBinary = isBinary || name.Equals("ce-specversion", StringComparison.OrdinalIgnoreCase);
            contentType ??= name.Equals(BinaryReader.ContentType, StringComparison.OrdinalIgnoreCase) ? value : null;
        }
        contentType = string.IsNullOrWhiteSpace(contentType) ? null : contentType;
        CheckMediaType(contentType);
        if (contentType is null || !IsEvent(contentType))
        {
            if (!isBinary && !HasEnvelope(body))
            {
                return ReadBare(body);
            }
        }
        else
        {
            isBinary = false;
        }
        var faults = new EventFaults();
        var read = isBinary ? BinaryReader.Read(contentType, headers, body, faults) : StructuredReader.Read(body, faults);
        var request = read is null ? null : Read(read, faults);
        faults.ThrowIfAny();
        return request!;
    }

    /// <summary>Returns true if the message must be read with <see cref="ReadBatch"/>.</summary>
    public static bool IsBatch(string? contentType) => contentType is not null && MediaType.Is(contentType, MediaType.JsonBatch);

    /// <summary>Reads a batch in which each event requests a job.</summary>
    /// <exception cref="EventException">The body is not a batch. The faults of single events are in their entries.</exception>
    public static IReadOnlyList<BatchEntry<JobRequest>> ReadBatch(ReadOnlyMemory<byte> body) =>
        StructuredReader.ReadBatch(
            body,
            static (json, faults) => StructuredReader.Read(json, faults) is { } read ? Read(read, faults) : null
        );

    private static JobRequest? Read(CloudEvent value, EventFaults faults)
    {
        if (value.Type.Length > 0 && value.Type != EventTypes.Execute)
        {
            faults.Add("type", $"{EventFaults.Quote(value.Type)} does not request a job", $"use the type {EventTypes.Execute}");
        }
        if (value.DataContentType is { } contentType && (!MediaType.IsJson(contentType) || !MediaType.IsUtf8(contentType)))
        {
            faults.Add(
                "datacontenttype",
                $"the data of a job must be JSON in UTF-8, not {EventFaults.Quote(contentType)}",
                "send it as application/json"
            );
            return null;
        }
        if (value.DataKind == EventDataKind.None)
        {
            faults.Add(DataPath, "it is missing", "send {trace_id, job_id, agent_definition, input_payload}");
            return null;
        }
        return new JobDataReader(DataPath, faults).Read(value.Data, value);
    }

    private static bool IsEvent(string contentType) =>
        MediaType.Is(contentType, MediaType.JsonEvent) || MediaType.Is(contentType, MediaType.Event);

    private static void CheckMediaType(string? contentType)
    {
        if (contentType is null || ((IsEvent(contentType) || IsPlainJson(contentType)) && MediaType.IsUtf8(contentType)))
        {
            return;
        }
        throw new EventException(
            FaultCodes.UnsupportedMediaType,
            EventFaults.One(
                "Content-Type",
                IsBatch(contentType) ? "a batch cannot be sent here" : $"{EventFaults.Quote(contentType)} cannot contain a job",
                $"send {MediaType.JsonEvent}, or application/json, in UTF-8"
            )
        );
    }

    private static bool IsPlainJson(string contentType) =>
        MediaType.IsJson(contentType) && !MediaType.NameOf(contentType).StartsWith(MediaType.Event, StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// Returns true if the top level has a member <c>specversion</c>. For invalid JSON it returns false, and the reader of the data reports
    /// the fault.
    /// </summary>
    private static bool HasEnvelope(ReadOnlyMemory<byte> body)
    {
        if (JsonText.Check(body, "", new EventFaults()) is not { } text)
        {
            return false;
        }
        try
        {
            var reader = JsonText.Reader(text);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return false;
            }
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (JsonText.TextOf(ref reader) == "specversion")
                {
                    return true;
                }
                reader.Skip();
            }
            return false;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
