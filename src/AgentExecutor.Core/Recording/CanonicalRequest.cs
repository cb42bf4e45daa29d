using System.Security.Cryptography;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Core.Recording;

/// <summary>A request in the one form in which it is hashed and recorded: no secrets, members in order, no spaces.</summary>
public sealed class CanonicalRequest
{
    private CanonicalRequest(string kind, byte[] json) =>
        (Kind, Json, Hash) = (kind, json, Convert.ToHexStringLower(SHA256.HashData(json)));

    public string Kind { get; }

    /// <summary>Canonical UTF-8 JSON.</summary>
    public ReadOnlyMemory<byte> Json { get; }

    /// <summary>64 hex digits.</summary>
    public string Hash { get; }

    public JsonElement Element => JsonElement.Parse(Json.Span, RecordingFormat.ReadOptions);

    /// <param name="kind">One of <see cref="ExchangeKinds"/>.</param>
    /// <param name="request">The request, its secrets removed.</param>
    public static CanonicalRequest Of(string kind, JsonElement request)
    {
        // What it finds, such as members that are there twice, is for senders: here the request is what it is.
        using var canonical = new CanonicalJson(new EventFaults());
        canonical.Append(JsonBytes.Of(request), "", RecordingFormat.ExtraDepth);
        return new CanonicalRequest(kind, canonical.Written.ToArray());
    }
}
