using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>A message to be sent.</summary>
/// <param name="Headers">The encoded block; empty where there is none.</param>
internal readonly record struct PublishFrame(string Subject, string? ReplyTo, ReadOnlyMemory<byte> Headers, ReadOnlyMemory<byte> Payload)
{
    public int Size => Headers.Length + Payload.Length;
}

/// <summary>Writes what a client says. Names were checked before: nothing here can end a line early.</summary>
internal static class Frames
{
    public static void Publish(IBufferWriter<byte> output, PublishFrame frame)
    {
        Text(output, frame.Headers.IsEmpty ? "PUB " : "HPUB ");
        Text(output, frame.Subject);
        Text(output, " ");
        if (frame.ReplyTo is not null)
        {
            Text(output, frame.ReplyTo);
            Text(output, " ");
        }
        if (!frame.Headers.IsEmpty)
        {
            Number(output, frame.Headers.Length);
            Text(output, " ");
        }
        Number(output, frame.Size);
        Text(output, "\r\n");
        output.Write(frame.Headers.Span);
        output.Write(frame.Payload.Span);
        Text(output, "\r\n");
    }

    /// <summary>A whole line.</summary>
    public static void Line(IBufferWriter<byte> output, string line)
    {
        Text(output, line);
        Text(output, "\r\n");
    }

    private static void Text(IBufferWriter<byte> output, string text)
    {
        var span = output.GetSpan(Encoding.UTF8.GetMaxByteCount(text.Length));
        output.Advance(Encoding.UTF8.GetBytes(text, span));
    }

    private static void Number(IBufferWriter<byte> output, long number)
    {
        Utf8Formatter.TryFormat(number, output.GetSpan(20), out var written);
        output.Advance(written);
    }
}
