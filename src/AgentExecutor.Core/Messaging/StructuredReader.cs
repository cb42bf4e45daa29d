using System.Text;
using System.Text.Json;

namespace AgentExecutor.Core.Messaging;

/// <summary>Reads the JSON format of events in one pass. The data stays a slice of the message.</summary>
internal static class StructuredReader
{
    /// <summary>Returns as much of the event as can be read, or null if the message is not a JSON object.</summary>
    public static CloudEvent? Read(ReadOnlyMemory<byte> json, EventFaults faults)
    {
        if (JsonText.Check(json, "", faults) is not { } text)
        {
            return null;
        }
        try
        {
            return ReadObject(text, faults);
        }
        catch (JsonException exception)
        {
            JsonText.AddTo(faults, "", exception);
            return null;
        }
    }

    public static IReadOnlyList<BatchEntry<T>> ReadBatch<T>(ReadOnlyMemory<byte> json, Func<ReadOnlyMemory<byte>, EventFaults, T?> read)
        where T : class
    {
        var faults = new EventFaults();
        var slices = JsonText.Check(json, "", faults) is { } text ? ReadArray(text, faults) : [];
        faults.ThrowIfAny();
        var entries = new List<BatchEntry<T>>(slices.Count);
        for (var i = 0; i < slices.Count; i++)
        {
            var own = new EventFaults($"[{i}]");
            var value = read(slices[i], own);
            entries.Add(own.Any ? new BatchEntry<T>(i, null, own.ToException()) : new BatchEntry<T>(i, value, null));
        }
        return entries;
    }

    private static List<ReadOnlyMemory<byte>> ReadArray(ReadOnlyMemory<byte> json, EventFaults faults)
    {
        var slices = new List<ReadOnlyMemory<byte>>();
        try
        {
            var reader = JsonText.Reader(json, extraDepth: 1);
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartArray)
            {
                faults.Add("", "a batch must be a JSON array of events", "put the events into [ ]");
                return slices;
            }
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                slices.Add(JsonText.Slice(ref reader, json));
            }
            reader.Read();
        }
        catch (JsonException exception)
        {
            JsonText.AddTo(faults, "", exception);
        }
        return slices;
    }

    private static CloudEvent? ReadObject(ReadOnlyMemory<byte> json, EventFaults faults)
    {
        var reader = JsonText.Reader(json);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            faults.Add("", "an event must be a JSON object", "put its attributes and data into { }");
            return null;
        }
        var builder = new EventBuilder(faults);
        var data = default(DataMembers);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = JsonText.TextOf(ref reader);
            reader.Read();
            if (name is "data" or "data_base64")
            {
                builder.TryFirst(name);
                data.Take(name, ref reader, json, faults);
            }
            else if (builder.TryName(name ?? "\uFFFD"))
            {
                ReadAttribute(name!, ref reader, builder, faults);
            }
            reader.Skip();
        }
        // Nothing may follow the object.
        reader.Read();
        var (kind, bytes) = data.Resolve(builder.DataContentType, faults);
        return builder.Build(kind, bytes);
    }

    private static void ReadAttribute(string name, ref Utf8JsonReader reader, EventBuilder builder, EventFaults faults)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.String when JsonText.TextOf(ref reader) is { } text:
                builder.Set(name, AttributeValue.Of(text));
                break;
            case JsonTokenType.String:
                faults.Add(name, "it contains half of a surrogate pair, which is not a character", "correct the \\u escapes");
                break;
            case JsonTokenType.True or JsonTokenType.False:
                builder.Set(name, AttributeValue.Of(reader.GetBoolean()));
                break;
            case JsonTokenType.Number when IsInteger(ref reader, out var number):
                builder.Set(name, AttributeValue.Of(number));
                break;
            case JsonTokenType.Number:
                faults.Add(name, "it must be a 32-bit integer without fraction or exponent", "write other numbers in quotes");
                break;
            case JsonTokenType.Null:
                builder.Unset(name);
                break;
            default:
                faults.Add(name, "it must be a string, a boolean or an integer", "put objects and lists into data");
                break;
        }
    }

    private static bool IsInteger(ref Utf8JsonReader reader, out int number)
    {
        number = 0;
        return reader.ValueSpan.IndexOfAny(".eE"u8) < 0 && reader.TryGetInt32(out number);
    }

    /// <summary>
    /// The members that hold the data. The meaning of <c>data</c> depends on <c>datacontenttype</c>, which may follow it.
    /// </summary>
    private struct DataMembers
    {
        private ReadOnlyMemory<byte> _json;
        private JsonTokenType _token;
        private string? _text;
        private byte[]? _binary;
        private bool _hasBinary;

        public void Take(string name, ref Utf8JsonReader reader, ReadOnlyMemory<byte> json, EventFaults faults)
        {
            if (name == "data")
            {
                _token = reader.TokenType;
                _text = _token == JsonTokenType.String ? JsonText.TextOf(ref reader) : null;
                _json = JsonText.Slice(ref reader, json);
            }
            else if (reader.TokenType != JsonTokenType.Null)
            {
                _hasBinary = true;
                _binary = DecodeBase64(ref reader);
                if (_binary is null)
                {
                    faults.Add(name, "it must be a base64 string", "encode the bytes in base64 with padding, or use data");
                }
            }
        }

        public readonly (EventDataKind Kind, ReadOnlyMemory<byte> Bytes) Resolve(string? contentType, EventFaults faults)
        {
            if (_token == JsonTokenType.None)
            {
                return _binary is null ? (EventDataKind.None, default) : (EventDataKind.Binary, _binary);
            }
            if (_hasBinary)
            {
                faults.Add("data_base64", "data and data_base64 are both present", "keep only the one that contains the data");
            }
            if (contentType is null || MediaType.IsJson(contentType))
            {
                return (EventDataKind.Json, _json);
            }
            if (_text is not null)
            {
                return (EventDataKind.Text, Encoding.UTF8.GetBytes(_text));
            }
            if (_token != JsonTokenType.Null)
            {
                faults.Add(
                    "data",
                    $"it must be a string, because datacontenttype is {EventFaults.Quote(contentType)}",
                    "set datacontenttype to application/json if the data is JSON, or use data_base64"
                );
            }
            return (EventDataKind.None, default);
        }

        private static byte[]? DecodeBase64(ref Utf8JsonReader reader)
        {
            try
            {
                return reader.TokenType == JsonTokenType.String && reader.TryGetBytesFromBase64(out var bytes) ? bytes : null;
            }
            catch (InvalidOperationException)
            {
                // The string contains half of a surrogate pair.
                return null;
            }
        }
    }
}
