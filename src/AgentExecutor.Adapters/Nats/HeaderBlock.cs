using System.Collections.Immutable;
using System.Globalization;
using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Adapters.Nats;

/// <summary>
/// The headers of a message, read from the bytes that the server stores. The server accepts any bytes from a publisher, and the NATS client
/// stops at the first malformed line. This reader returns every header that can be read and describes the first fault, so that the message
/// can be moved to the dead letters with its reason.
/// </summary>
/// <param name="Fields">The headers in their order. A name may occur several times.</param>
/// <param name="Fault">What is malformed, or null.</param>
internal sealed record HeaderBlock(ImmutableArray<KeyValuePair<string, string>> Fields, string? Fault)
{
    private const string Version = "NATS/1.0";

    private static ReadOnlySpan<byte> VersionBytes => "NATS/1.0"u8;

    public static HeaderBlock Read(ReadOnlySpan<byte> block)
    {
        var first = NextLine(ref block, out var hasEnd);
        if (!first.StartsWith(VersionBytes) || (first.Length > VersionBytes.Length && first[VersionBytes.Length] != (byte)' '))
        {
            return new HeaderBlock([], $"the header block does not begin with {Version}");
        }
        var fields = ImmutableArray.CreateBuilder<KeyValuePair<string, string>>();
        string? fault = null;
        for (var number = 2; ; number++)
        {
            if (!hasEnd || block.IsEmpty)
            {
                return new HeaderBlock(fields.ToImmutable(), fault ?? "the header block has no end: the empty line is missing");
            }
            var line = NextLine(ref block, out hasEnd);
            if (line.IsEmpty)
            {
                return new HeaderBlock(
                    fields.ToImmutable(),
                    fault ?? (block.IsEmpty ? null : "bytes follow the empty line that ends the header block")
                );
            }
            if (line.IndexOf((byte)':') is > 0 and var colon)
            {
                fields.Add(new(RawHeaderText.Read(line[..colon]).TrimEnd(), RawHeaderText.Read(line[(colon + 1)..]).Trim()));
            }
            else
            {
                var reason = line[0] == (byte)':' ? "no name" : "no colon";
                fault ??= string.Create(
                    CultureInfo.InvariantCulture,
                    $"line {number} of the header block is not a header: it has {reason}"
                );
            }
        }
    }

    private static ReadOnlySpan<byte> NextLine(ref ReadOnlySpan<byte> block, out bool hasEnd)
    {
        var end = block.IndexOf((byte)'\n');
        hasEnd = end >= 0;
        var line = hasEnd ? block[..end] : block;
        block = hasEnd ? block[(end + 1)..] : [];
        return line is [.. var text, (byte)'\r'] ? text : line;
    }
}
