using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace AgentExecutor.Core.Messaging;

/// <summary>The W3C trace context of a job: <c>00-{trace id}-{parent span id}-{flags}</c>.</summary>
public static class TraceParent
{
    private const int Length = 55;
    private const int TraceIdLength = 32;
    private const int SpanIdLength = 16;

    private static readonly SearchValues<char> LowerHex = SearchValues.Create("0123456789abcdef");

    /// <summary>
    /// Returns the sender's trace context if it is valid, or else one that is derived from its ids, which is the same each time.
    /// </summary>
    public static string Of(string? sent, string traceId, string jobId) => TryRead(sent, out var valid) ? valid : Derive(traceId, jobId);

    /// <summary>Reads version 00, and from later versions the part that version 00 defines, as the W3C recommendation requires.</summary>
    public static bool TryRead(string? sent, out string valid)
    {
        valid = "";
        if (sent is null || sent.Length < Length || !IsVersion(sent))
        {
            return false;
        }
        var trace = sent.AsSpan(3, TraceIdLength);
        var span = sent.AsSpan(36, SpanIdLength);
        var flags = sent.AsSpan(53, 2);
        if (sent[2] != '-' || sent[35] != '-' || sent[52] != '-' || !IsId(trace) || !IsId(span) || flags.ContainsAnyExcept(LowerHex))
        {
            return false;
        }
        valid = sent.StartsWith("00", StringComparison.Ordinal) ? sent : $"00-{trace}-{span}-{flags}";
        return true;
    }

    /// <summary>
    /// Derives a trace context. If the trace id is a UUID, its digits are used, and otherwise its hash. The id of the parent span is a hash
    /// of the job id.
    /// </summary>
    public static string Derive(string traceId, string jobId)
    {
        var digits = traceId.Replace("-", "", StringComparison.Ordinal).ToLowerInvariant();
        var trace = digits.Length == TraceIdLength && IsId(digits) ? digits : HashOf(traceId, TraceIdLength);
        var span = HashOf(jobId, SpanIdLength);
        return $"00-{trace}-{(IsId(span) ? span : "0000000000000001")}-01";
    }

    private static bool IsVersion(string sent) =>
        !sent.AsSpan(0, 2).ContainsAnyExcept(LowerHex)
        && !sent.StartsWith("ff", StringComparison.Ordinal)
        && (sent.Length == Length || (!sent.StartsWith("00", StringComparison.Ordinal) && sent[Length] == '-'));

    private static bool IsId(ReadOnlySpan<char> id) => !id.ContainsAnyExcept(LowerHex) && id.ContainsAnyExcept('0');

    private static string HashOf(string text, int digits)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(text), hash);
        return Convert.ToHexStringLower(hash[..(digits / 2)]);
    }
}
