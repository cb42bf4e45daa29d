using System.Security.Cryptography;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Core.Recording;

/// <summary>
/// A request in the canonical form in which it is hashed and recorded: without secrets, with sorted members and without whitespace.
/// </summary>
public sealed class CanonicalRequest
{
    private CanonicalRequest(string kind, byte[] json) =>
        (Kind, Json, Hash) = (kind, json, Convert.ToHexStringLower(SHA256.HashData(json)));

    public string Kind { get; }

    /// <summary>The canonical JSON as UTF-8.</summary>
    public ReadOnlyMemory<byte> Json { get; }

    /// <summary>The SHA-256 hash of the canonical JSON, as 64 hexadecimal digits.</summary>
    public string Hash { get; }

    public JsonElement Element => StoredJson.Parse(Json.Span);

    /// <param name="kind">One of <see cref="ExchangeKinds"/>.</param>
    /// <param name="request">The request without its secrets.</param>
    public static CanonicalRequest Of(string kind, JsonElement request)
    {
        // Faults such as duplicate members only matter for events that are received. Here the request is recorded as it is, so they are
        // ignored.
        using var canonical = new CanonicalJson(new EventFaults());
        canonical.Append(JsonBytes.Of(request), "", RecordingFormat.ExtraDepth);
        return new CanonicalRequest(kind, canonical.Written.ToArray());
    }
}
