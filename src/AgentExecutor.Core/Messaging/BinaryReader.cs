using System.Text.Unicode;

namespace AgentExecutor.Core.Messaging;

/// <summary>Reads events whose attributes are headers.</summary>
internal static class BinaryReader
{
    public const string Prefix = "ce-";
    public const string ContentType = "Content-Type";

    /// <param name="contentType">The message's, where the caller has it apart from the headers.</param>
    public static CloudEvent Read(string? contentType, IEnumerable<KeyValuePair<string, string>> headers, ReadOnlyMemory<byte> body, EventFaults faults)
    {
        var builder = new EventBuilder(faults);
        foreach (var (header, value) in headers)
        {
            if (header.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            {
                ReadHeader(header[Prefix.Length..].ToLowerInvariant(), value, builder, faults);
            }
            else if (header.Equals(ContentType, StringComparison.OrdinalIgnoreCase))
            {
                contentType ??= value;
            }
        }
        // The HTTP binding forbids ce-datacontenttype and the NATS binding demands it; both at once may only say the same.
        if (!string.IsNullOrWhiteSpace(contentType) && builder.DataContentType is null)
        {
            if (builder.TryName("datacontenttype"))
            {
                builder.Set("datacontenttype", AttributeValue.Of(contentType.Trim()));
            }
        }
        else if (!string.IsNullOrWhiteSpace(contentType) && !contentType.Trim().Equals(builder.DataContentType, StringComparison.OrdinalIgnoreCase))
        {
            faults.Add(
                "datacontenttype", $"the header ce-datacontenttype says {EventFaults.Quote(builder.DataContentType!)} and Content-Type {EventFaults.Quote(contentType)}",
                "send one of them");
        }
        return builder.Build(KindOf(builder.DataContentType, body, faults), body);
    }

    private static void ReadHeader(string name, string header, EventBuilder builder, EventFaults faults)
    {
        if (!builder.TryName(name))
        {
            return;
        }
        if (HeaderText.Decode(header, out var fault) is { } text)
        {
            builder.Set(name, AttributeValue.Of(text));
        }
        else
        {
            faults.Add(name, $"{fault} in its header", "percent-encode it as the CloudEvents HTTP binding says");
        }
    }

    private static EventDataKind KindOf(string? contentType, ReadOnlyMemory<byte> body, EventFaults faults)
    {
        if (body.IsEmpty)
        {
            return EventDataKind.None;
        }
        if (contentType is null)
        {
            return JsonText.IsValid(body, "", new EventFaults()) ? EventDataKind.Json : EventDataKind.Binary;
        }
        if (MediaType.IsJson(contentType))
        {
            _ = JsonText.IsValid(body, "data", faults);
            return EventDataKind.Json;
        }
        return contentType.StartsWith("text/", StringComparison.OrdinalIgnoreCase) && Utf8.IsValid(body.Span) ? EventDataKind.Text : EventDataKind.Binary;
    }
}
