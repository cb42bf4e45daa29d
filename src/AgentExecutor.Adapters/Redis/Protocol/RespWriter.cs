using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace AgentExecutor.Adapters.Redis.Protocol;

/// <summary>Writes commands, which are arrays of bulk strings, into a span that its caller knows to be large enough.</summary>
internal ref struct RespWriter(Span<byte> span)
{
    /// <summary>The most that a header or a number takes, with what goes around it.</summary>
    public const int Overhead = 40;

    private readonly Span<byte> _span = span;

    public int Written { get; private set; }

    /// <summary>A command of texts alone.</summary>
    public static void Write(IBufferWriter<byte> output, params ReadOnlySpan<string> arguments)
    {
        var size = Overhead;
        foreach (var argument in arguments)
        {
            size += SizeOf(argument);
        }
        var writer = new RespWriter(output.GetSpan(size));
        writer.Begin(arguments.Length);
        foreach (var argument in arguments)
        {
            writer.Bulk(argument);
        }
        output.Advance(writer.Written);
    }

    /// <summary>At least what it takes as a bulk string.</summary>
    public static int SizeOf(string text) => Encoding.UTF8.GetMaxByteCount(text.Length) + Overhead;

    /// <summary>Begins a command: so many bulk strings follow.</summary>
    public void Begin(int arguments) => Header((byte)'*', arguments);

    public void Bulk(scoped ReadOnlySpan<byte> bytes)
    {
        Header((byte)'$', bytes.Length);
        Raw(bytes);
        Raw("\r\n"u8);
    }

    public void Bulk(string text) => Bulk(default, text);

    /// <summary>Both together as one bulk string.</summary>
    public void Bulk(scoped ReadOnlySpan<byte> prefix, string text)
    {
        Header((byte)'$', prefix.Length + Encoding.UTF8.GetByteCount(text));
        Raw(prefix);
        Written += Encoding.UTF8.GetBytes(text, _span[Written..]);
        Raw("\r\n"u8);
    }

    /// <summary>A number as a bulk string, and what follows its digits in it.</summary>
    public void Bulk(long number, scoped ReadOnlySpan<byte> suffix = default)
    {
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(number, digits, out var length);
        Header((byte)'$', length + suffix.Length);
        Raw(digits[..length]);
        Raw(suffix);
        Raw("\r\n"u8);
    }

    private void Header(byte kind, int number)
    {
        _span[Written++] = kind;
        Utf8Formatter.TryFormat(number, _span[Written..], out var length);
        Written += length;
        Raw("\r\n"u8);
    }

    private void Raw(scoped ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_span[Written..]);
        Written += bytes.Length;
    }
}
