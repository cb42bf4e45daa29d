using System.Buffers;
using System.Globalization;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Messaging;

/// <summary>Writes CloudEvents 1.0.</summary>
public static class CloudEventWriter
{
    /// <summary>The content type of an event in structured mode.</summary>
    public const string ContentType = MediaType.JsonEvent;

    /// <summary>Writes structured mode.</summary>
    public static byte[] Write(CloudEvent value) => JsonBytes.Write(value, WriteObject);

    /// <summary>Writes structured mode.</summary>
    public static void Write(IBufferWriter<byte> output, CloudEvent value)
    {
        using var writer = new Utf8JsonWriter(output, JsonBytes.WriterOptions);
        WriteObject(writer, value);
    }

    /// <summary>Returns the headers of binary mode over HTTP. <see cref="CloudEvent.Data"/> is the body.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> HttpHeaders(CloudEvent value) => Headers(value, BinaryReader.ContentType);

    /// <summary>Returns the headers of binary mode over NATS. <see cref="CloudEvent.Data"/> is the payload.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> NatsHeaders(CloudEvent value) => Headers(value, "ce-datacontenttype");

    private static List<KeyValuePair<string, string>> Headers(CloudEvent value, string contentType)
    {
        var headers = new List<KeyValuePair<string, string>>(8 + value.Extensions.Count);
        Add("specversion", CloudEvent.SpecVersion);
        Add("id", value.Id);
        Add("source", value.Source);
        Add("type", value.Type);
        Add("subject", value.Subject);
        Add("time", value.Time is { } time ? Timestamp.Write(time) : null);
        Add("dataschema", value.DataSchema);
        foreach (var (name, extension) in value.Extensions)
        {
            Add(name, extension.Text);
        }
        // In the JSON format, data without a content type is application/json. Other bindings must state it.
        var type = value.DataContentType ?? (value.DataKind == EventDataKind.Json ? "application/json" : null);
        if (type is not null)
        {
            headers.Add(KeyValuePair.Create(contentType, contentType == BinaryReader.ContentType ? type : HeaderText.Encode(type)));
        }
        return headers;

        void Add(string name, string? text)
        {
            if (text is not null)
            {
                headers.Add(KeyValuePair.Create(BinaryReader.Prefix + name, HeaderText.Encode(text)));
            }
        }
    }

    private static void WriteObject(Utf8JsonWriter writer, CloudEvent value)
    {
        writer.WriteStartObject();
        writer.WriteString("specversion"u8, CloudEvent.SpecVersion);
        writer.WriteString("id"u8, value.Id);
        writer.WriteString("source"u8, value.Source);
        writer.WriteString("type"u8, value.Type);
        WriteText(writer, "subject", value.Subject);
        WriteText(writer, "time", value.Time is { } time ? Timestamp.Write(time) : null);
        WriteText(writer, "datacontenttype", value.DataContentType);
        WriteText(writer, "dataschema", value.DataSchema);
        foreach (var (name, extension) in value.Extensions)
        {
            WriteExtension(writer, name, extension);
        }
        switch (value.DataKind)
        {
            case EventDataKind.Json:
                writer.WritePropertyName("data"u8);
                writer.WriteRawValue(value.Data.Span, skipInputValidation: true);
                break;
            case EventDataKind.Text:
                writer.WriteString("data"u8, value.Data.Span);
                break;
            case EventDataKind.Binary:
                writer.WriteBase64String("data_base64"u8, value.Data.Span);
                break;
        }
        writer.WriteEndObject();
    }

    private static void WriteText(Utf8JsonWriter writer, string name, string? text)
    {
        if (text is not null)
        {
            writer.WriteString(name, text);
        }
    }

    private static void WriteExtension(Utf8JsonWriter writer, string name, AttributeValue value)
    {
        switch (value.Kind)
        {
            case AttributeKind.Boolean:
                writer.WriteBoolean(name, value.Text == "true");
                break;
            case AttributeKind.Integer:
                writer.WriteNumber(name, int.Parse(value.Text, CultureInfo.InvariantCulture));
                break;
            default:
                writer.WriteString(name, value.Text);
                break;
        }
    }
}
