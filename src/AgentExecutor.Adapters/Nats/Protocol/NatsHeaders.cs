using System.Collections;
using System.Globalization;
using System.Text;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>
/// The headers of a message, in their order. A name may stand several times; its case is kept and, as NATS has it, counts. A message of the server itself
/// has a status instead, or besides (<c>NATS/1.0 503 No Responders</c>).
/// </summary>
internal sealed class NatsHeaders : IEnumerable<KeyValuePair<string, string>>
{
    public static readonly NatsHeaders Empty = [];

    private const string Version = "NATS/1.0";
    private readonly List<KeyValuePair<string, string>> _fields = [];

    /// <summary>0 where there is none.</summary>
    public int Status { get; private init; }

    public string StatusText { get; private init; } = "";

    public int Count => _fields.Count;

    /// <summary>The first value of a name; null where it is missing.</summary>
    public string? this[string name] => _fields.Find(field => field.Key == name).Value;

    public IEnumerable<string> All(string name) => _fields.Where(field => field.Key == name).Select(field => field.Value);

    /// <exception cref="NatsException"><see cref="NatsFault.InvalidArgument"/>: what would break the header block is not sent.</exception>
    public void Add(string name, string value)
    {
        if (name.Length == 0 || name.AsSpan().ContainsAny(": \t\r\n"))
        {
            throw new NatsException(NatsFault.InvalidArgument, $"'{name.ReplaceLineEndings(" ")}' is no header name");
        }
        if (value.AsSpan().ContainsAny('\r', '\n'))
        {
            throw new NatsException(NatsFault.InvalidArgument, $"the value of header {name} has a line break");
        }
        if (ReferenceEquals(this, Empty))
        {
            throw new InvalidOperationException("the empty headers are shared: make new ones");
        }
        _fields.Add(new(name, value));
    }

    public IEnumerator<KeyValuePair<string, string>> GetEnumerator() => _fields.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public byte[] Encode()
    {
        var text = new StringBuilder(Version).Append("\r\n");
        foreach (var (name, value) in _fields)
        {
            text.Append(name).Append(": ").Append(value).Append("\r\n");
        }
        return Encoding.UTF8.GetBytes(text.Append("\r\n").ToString());
    }

    /// <summary>Never fails: the server passes on any block that a publisher made up, and one bad message must not end the connection again and again. Lines that are no header are left out.</summary>
    public static NatsHeaders Decode(ReadOnlySpan<byte> block)
    {
        var text = Encoding.UTF8.GetString(block).AsSpan();
        var first = NextLine(ref text);
        if (!first.StartsWith(Version, StringComparison.Ordinal))
        {
            return Empty;
        }
        var (status, statusText) = DecodeStatus(first[Version.Length..].Trim());
        var headers = new NatsHeaders { Status = status, StatusText = statusText };
        while (text.Length > 0)
        {
            var line = NextLine(ref text);
            if (line.IndexOf(':') is > 0 and var colon)
            {
                headers._fields.Add(new(line[..colon].ToString(), line[(colon + 1)..].Trim().ToString()));
            }
        }
        return headers;
    }

    private static (int Status, string Text) DecodeStatus(ReadOnlySpan<char> inline)
    {
        var end = inline.IndexOf(' ') is >= 0 and var space ? space : inline.Length;
        return int.TryParse(inline[..end], NumberStyles.None, CultureInfo.InvariantCulture, out var status)
            ? (status, inline[end..].Trim().ToString())
            : (0, inline.ToString());
    }

    private static ReadOnlySpan<char> NextLine(ref ReadOnlySpan<char> text)
    {
        var end = text.IndexOf("\r\n", StringComparison.Ordinal);
        var line = end < 0 ? text : text[..end];
        text = end < 0 ? [] : text[(end + 2)..];
        return line;
    }
}
