using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace AgentExecutor.Core.Json;

/// <summary>Writes UTF-8 JSON through one reused writer per thread, and creates <see cref="JsonElement"/>s that own their memory.</summary>
public static class JsonBytes
{
    /// <summary>Text stays readable in storage and in a terminal. None of this JSON is embedded in HTML.</summary>
    public static readonly JsonWriterOptions WriterOptions = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
        MaxDepth = StoredJson.MaxDepth,
    };

    [ThreadStatic]
    private static Scratch? _scratch;

    /// <summary>Returns the bytes that <paramref name="write"/> produces.</summary>
    public static byte[] Write<T>(T value, Action<Utf8JsonWriter, T> write)
    {
        var scratch = _scratch ?? new Scratch();
        _scratch = null; // a nested call gets its own scratch buffer
        try
        {
            write(scratch.Writer, value);
            scratch.Writer.Flush();
            return scratch.Buffer.WrittenSpan.ToArray();
        }
        finally
        {
            scratch.Reset();
            _scratch = scratch;
        }
    }

    public static string WriteText<T>(T value, Action<Utf8JsonWriter, T> write) => Encoding.UTF8.GetString(Write(value, write));

    public static JsonElement Element<T>(T value, Action<Utf8JsonWriter, T> write) => StoredJson.Parse(Write(value, write));

    public static JsonElement Text(string value) => Element(value, static (writer, text) => writer.WriteStringValue(text));

    public static JsonElement Number(long value) => Element(value, static (writer, number) => writer.WriteNumberValue(number));

    public static byte[] Of(JsonElement element) => Write(InputJson.Repaired(element), static (writer, value) => value.WriteTo(writer));

    public static string Compact(JsonElement element) =>
        WriteText(InputJson.Repaired(element), static (writer, value) => value.WriteTo(writer));

    /// <summary>Returns a string unchanged and any other value as compact JSON, as it appears in a prompt or a tool result.</summary>
    public static string Display(JsonElement element) =>
        element.ValueKind switch
        {
            JsonValueKind.Undefined or JsonValueKind.Null => "",
            JsonValueKind.String => WellFormedText.Of(element),
            _ => Compact(element),
        };

    /// <summary>Returns the property, or null if the element is not an object, lacks the property, or contains JSON null.</summary>
    public static JsonElement? Property(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? value
            : null;

    /// <summary>Returns the property's text, or null if the property is absent or not a string.</summary>
    public static string? TextProperty(this JsonElement element, string name) =>
        element.Property(name) is { ValueKind: JsonValueKind.String } text ? WellFormedText.Of(text) : null;

    private sealed class Scratch
    {
        private const int KeptCapacity = 1 << 20;

        public ArrayBufferWriter<byte> Buffer { get; private set; } = new(1024);

        public Utf8JsonWriter Writer { get; }

        public Scratch() => Writer = new Utf8JsonWriter(Buffer, WriterOptions);

        public void Reset()
        {
            if (Buffer.Capacity > KeptCapacity)
            {
                Buffer = new ArrayBufferWriter<byte>(1024);
            }
            else
            {
                Buffer.ResetWrittenCount();
            }
            Writer.Reset(Buffer);
        }
    }
}
