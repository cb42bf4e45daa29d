using System.Buffers.Binary;
using System.Security.Cryptography;

namespace AgentExecutor.Core.Checkpoints;

/// <summary>
/// Creates the ids of checkpoints: UUIDs of version 6 whose text sorts by time. Within a thread each id sorts after its parent, even if the
/// clock was set back. In that case its time is one tick after the parent's.
/// </summary>
public static class CheckpointId
{
    // From 0001-01-01 to 1582-10-15, in units of 100 ns.
    private const long TicksFromGregorianStart = 499_163_040_000_000_000;

    // The node is random for each process. The time already sorts the ids, so the node only distinguishes two writers.
    private static readonly ulong Node = BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(8)) & 0x3FFF_FFFF_FFFF_FFFF;

    public static string Next(string? parentId, DateTimeOffset now)
    {
        var time = now.UtcTicks - TicksFromGregorianStart;
        if (parentId is not null && TryTime(parentId) is { } parent && parent >= time)
        {
            time = parent + 1;
        }
        return string.Create(
            36,
            time,
            static (text, time) =>
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
            }
        );
    }

    /// <summary>Returns the 60-bit time of a version 6 UUID, or null if the text is not a UUID.</summary>
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
