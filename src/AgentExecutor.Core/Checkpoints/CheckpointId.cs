using System.Buffers.Binary;
using System.Security.Cryptography;

namespace AgentExecutor.Core.Checkpoints;

/// <summary>
/// Ids of checkpoints: UUIDs of version 6, whose text sorts by time. Within a thread each id sorts after its parent,
/// also when the clock was set back: its time is then one tick after the parent's.
/// </summary>
public static class CheckpointId
{
    private const long TicksFromGregorianStart = 499_163_040_000_000_000; // 1582-10-15, in 100 ns ticks from year 1

    // One random node for the process: the time part already sorts, the node only keeps two writers apart.
    private static readonly ulong Node = BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(8)) & 0x3FFF_FFFF_FFFF_FFFF;

    public static string Next(string? parentId, DateTimeOffset now)
    {
        var time = now.UtcTicks - TicksFromGregorianStart;
        if (parentId is not null && TryTime(parentId) is { } parent && parent >= time)
        {
            time = parent + 1;
        }
        return string.Create(36, time, static (text, time) =>
        {
            var high = ((ulong)time >> 12 << 16) | 0x6000 | ((ulong)time & 0xFFF);
            Hex(text, 0, 8, high >> 32);
            text[8] = '-';
            Hex(text, 9, 4, high >> 16);
            text[13] = '-';
            Hex(text, 14, 4, high);
            text[18] = '-';
            var low = 0x8000_0000_0000_0000 | Node;
            Hex(text, 19, 4, low >> 48);
            text[23] = '-';
            Hex(text, 24, 12, low);
        });
    }

    /// <summary>The 60-bit time of a version 6 UUID, or null where the text is none.</summary>
    private static long? TryTime(string id)
    {
        if (!Guid.TryParseExact(id, "D", out var guid))
        {
            return null;
        }
        Span<byte> bytes = stackalloc byte[16];
        guid.TryWriteBytes(bytes, bigEndian: true, out _);
        var high = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        return (long)((high >> 16 << 12) | (high & 0xFFF));
    }

    private static void Hex(Span<char> text, int start, int digits, ulong value)
    {
        for (var i = start + digits - 1; i >= start; i--)
        {
            text[i] = "0123456789abcdef"[(int)(value & 0xF)];
            value >>= 4;
        }
    }
}
