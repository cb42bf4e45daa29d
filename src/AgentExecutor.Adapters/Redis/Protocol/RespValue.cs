using System.Text;

namespace AgentExecutor.Adapters.Redis.Protocol;

/// <summary>The types of RESP2 and RESP3. A null of any type is <see cref="Null"/>.</summary>
internal enum RespKind
{
    SimpleString,
    Error,
    Integer,
    BulkString,
    Array,
    Null,
    Boolean,
    Double,
    BigNumber,
    BlobError,
    Verbatim,
    Map,
    Set,
    Push,

    /// <summary>Data beside the value that follows it. It is read and dropped.</summary>
    Attribute,
}

/// <summary>One value that a server sent.</summary>
internal sealed class RespValue(RespKind kind)
{
    public static readonly RespValue Null = new(RespKind.Null);

    public RespKind Kind { get; } = kind;

    /// <summary>Of strings, errors and big numbers.</summary>
    public ReadOnlyMemory<byte> Bytes { get; init; }

    /// <summary>Of an integer; 0 or 1 of a boolean.</summary>
    public long Number { get; init; }

    /// <summary>Of a double.</summary>
    public double Real { get; init; }

    /// <summary>Of an array, set or push; of a map keys and values in turn.</summary>
    public IReadOnlyList<RespValue> Items { get; init; } = [];

    public bool IsError => Kind is RespKind.Error or RespKind.BlobError;

    public string Text => Encoding.UTF8.GetString(Bytes.Span);
}
