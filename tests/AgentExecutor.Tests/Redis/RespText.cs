using System.Buffers;
using System.Globalization;
using System.Text;
using AgentExecutor.Adapters.Redis.Protocol;

namespace AgentExecutor.Tests.Redis;

/// <summary>Writes values as a server would, and shows them for comparison.</summary>
internal static class RespText
{
    /// <summary>What a parser makes of bytes that come in these pieces.</summary>
    public static List<string> Parse(IEnumerable<byte[]> pieces, bool isKept = true)
    {
        var parser = new RespParser();
        var values = new List<string>();
        var rest = Array.Empty<byte>();
        foreach (var piece in pieces)
        {
            var buffer = Join(rest, piece);
            while (!buffer.IsEmpty && parser.TryRead(ref buffer, isKept, out var value))
            {
                values.Add(value is null ? "-" : Show(value));
            }
            rest = buffer.ToArray();
        }
        return values;
    }

    /// <summary>In two segments, as a pipe has them.</summary>
    public static ReadOnlySequence<byte> Join(byte[] first, byte[] second)
    {
        var start = new Segment(first, 0);
        return new ReadOnlySequence<byte>(start, 0, start.Append(second), second.Length);
    }

    public static string Show(RespValue value) => value.Kind switch
    {
        RespKind.Integer or RespKind.Boolean => $"{value.Kind}:{value.Number}",
        RespKind.Double => string.Create(CultureInfo.InvariantCulture, $"Double:{value.Real:R}"),
        RespKind.Null => "Null",
        RespKind.Array or RespKind.Set or RespKind.Push or RespKind.Map => $"{value.Kind}[{string.Join(", ", value.Items.Select(Show))}]",
        _ => $"{value.Kind}:{Encoding.Latin1.GetString(value.Bytes.Span)}",
    };

    /// <summary>A random value: as a server writes it, and as <see cref="Show"/> shows it.</summary>
    public static string Random(Random random, StringBuilder wire, int depth)
    {
        if (random.Next(12) == 0)
        {
            wire.Append("|1\r\n+ttl\r\n");
            Random(random, wire, RespParser.MaxDepth);
        }
        return random.Next(depth < 5 ? 14 : 10) switch
        {
            0 => Line(wire, '+', "SimpleString", Word(random)),
            1 => Line(wire, '-', "Error", $"ERR {Word(random)}"),
            2 => Line(wire, ':', "Integer", random.NextInt64(long.MinValue, long.MaxValue).ToString(CultureInfo.InvariantCulture)),
            3 => Line(wire, '(', "BigNumber", "-349283409809283409820394829034820943"),
            4 => Blob(wire, '$', "BulkString", Bytes(random), ""),
            5 => Blob(wire, '!', "BlobError", Bytes(random), ""),
            6 => Blob(wire, '=', "Verbatim", Bytes(random), "txt:"),
            7 => Nothing(random, wire),
            8 => Flag(wire, random.Next(2)),
            9 => Real(random, wire),
            10 => List(random, wire, '*', "Array", 1, depth),
            11 => List(random, wire, '~', "Set", 1, depth),
            12 => List(random, wire, '>', "Push", 1, depth),
            _ => List(random, wire, '%', "Map", 2, depth),
        };
    }

    private static string Line(StringBuilder wire, char sign, string kind, string text)
    {
        wire.Append(sign).Append(text).Append("\r\n");
        return $"{kind}:{text}";
    }

    private static string Blob(StringBuilder wire, char sign, string kind, string text, string format)
    {
        wire.Append(sign).Append(CultureInfo.InvariantCulture, $"{text.Length + format.Length}\r\n{format}{text}\r\n");
        return $"{kind}:{text}";
    }

    private static string Nothing(Random random, StringBuilder wire)
    {
        wire.Append(random.Next(3) switch { 0 => "_\r\n", 1 => "$-1\r\n", _ => "*-1\r\n" });
        return "Null";
    }

    private static string Flag(StringBuilder wire, int flag)
    {
        wire.Append(flag == 1 ? "#t\r\n" : "#f\r\n");
        return $"Boolean:{flag}";
    }

    private static string Real(Random random, StringBuilder wire)
    {
        var real = random.Next(4) switch { 0 => double.PositiveInfinity, 1 => double.NaN, 2 => double.NegativeInfinity, _ => random.NextDouble() * 1e30 };
        var text = double.IsNaN(real) ? "nan" : double.IsInfinity(real) ? (real > 0 ? "inf" : "-inf") : real.ToString("R", CultureInfo.InvariantCulture);
        wire.Append(CultureInfo.InvariantCulture, $",{text}\r\n");
        return string.Create(CultureInfo.InvariantCulture, $"Double:{real:R}");
    }

    private static string List(Random random, StringBuilder wire, char sign, string kind, int each, int depth)
    {
        var count = random.Next(5);
        wire.Append(CultureInfo.InvariantCulture, $"{sign}{count}\r\n");
        return $"{kind}[{string.Join(", ", Enumerable.Range(0, count * each).Select(_ => Random(random, wire, depth + 1)).ToList())}]";
    }

    private static string Word(Random random) => new([.. Enumerable.Range(0, random.Next(20)).Select(_ => (char)random.Next(32, 256))]);

    private static string Bytes(Random random) => new([.. Enumerable.Range(0, random.Next(60)).Select(_ => (char)random.Next(256))]);

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(byte[] memory, long index) => (Memory, RunningIndex) = (memory, index);

        public Segment Append(byte[] memory)
        {
            var next = new Segment(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
