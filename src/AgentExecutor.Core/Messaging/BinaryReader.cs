using System.Text.Unicode;

namespace AgentExecutor.Core.Messaging;

/// <summary>Reads events whose attributes are sent as headers.</summary>
internal static class BinaryReader
{
    public const string Prefix = "ce-";
    public const string ContentType = "Content-Type";

    /// <param name="contentType">The content type of the message, if the caller has it separately from the headers.</param>
    public static CloudEvent Read(
        string? contentType,
        IEnumerable<KeyValuePair<string, string>> headers,
        ReadOnlyMemory<byte> body,
        EventFaults faults
    )
    {
        var builder = new EventBuilder(faults);
        foreach (var (header, value) in headers)
        {
            if (header.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            {
                ReadHeader(header[Prefix.Length..].ToLowerInvariant(), value, builder);
            }
            else if (header.Equals(ContentType, StringComparison.OrdinalIgnoreCase))
            {
                contentType ??= value;
            }
        }
        SetContentType(contentType?.Trim(), builder, faults);
        return builder.Build(KindOf(builder.DataContentType, body, faults), body);
    }

    /// <summary>
    /// Sets <c>datacontenttype</c>. The HTTP binding forbids the header <c>ce-datacontenttype</c> and the NATS binding requires it. If both
    /// headers are present, they must name the same type, but their parameters may differ.
    /// </summary>
    private static void SetContentType(string? contentType, EventBuilder builder, EventFaults faults)
    {
        const string Name = "datacontenttype";
        if (string.IsNullOrEmpty(contentType))
        {
            return;
        }
        if (!builder.Has(Name))
        {
            builder.TryName(Name);
            builder.Set(Name, AttributeValue.Of(contentType));
        }
        else if (
            builder.DataContentType is { } own
            && !MediaType.NameOf(own).Equals(MediaType.NameOf(contentType), StringComparison.OrdinalIgnoreCase)
        )
        {
            faults.Add(
                Name,
                $"the header ce-datacontenttype is {EventFaults.Quote(own)} and Content-Type {EventFaults.Quote(contentType)}",
                "send one of them"
            );
        }
    }

    private static void ReadHeader(string name, string header, EventBuilder builder)
    {
        if (builder.TryName(name))
        {
            builder.Set(name, AttributeValue.Of(HeaderText.Decode(header)));
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
        return contentType.StartsWith("text/", StringComparison.OrdinalIgnoreCase) && Utf8.IsValid(body.Span)
            ? EventDataKind.Text
            : EventDataKind.Binary;
    }
}
