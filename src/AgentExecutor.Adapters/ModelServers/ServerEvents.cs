using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>Reads a model server's answer as JSON.</summary>
internal static class ServerEvents
{
    private static ReadOnlySpan<byte> Done => "[DONE]"u8;

    /// <summary>Each event's data, up to <c>[DONE]</c> or the end. Events without data are left out.</summary>
    public static async IAsyncEnumerable<JsonElement> ReadAsync(Stream stream, ModelFaults faults, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var parser = SseParser.Create(stream, (_, data) => data.Trim((byte)' ').SequenceEqual(Done) ? null : Parse(data, faults));
        await foreach (var item in parser.EnumerateAsync(cancellationToken))
        {
            if (item.Data is not { } json)
            {
                yield break;
            }
            if (json.ValueKind == JsonValueKind.Object)
            {
                yield return json;
            }
        }
    }

    /// <summary>An answer that is one JSON object.</summary>
    public static async Task<JsonElement> ReadWholeAsync(Stream stream, ModelFaults faults, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        await stream.CopyToAsync(body, cancellationToken);
        var json = Parse(body.GetBuffer().AsSpan(0, (int)body.Length), faults)!.Value;
        return json.ValueKind == JsonValueKind.Object ? json : throw faults.Unavailable("it answered with no JSON object");
    }

    private static JsonElement? Parse(ReadOnlySpan<byte> data, ModelFaults faults)
    {
        if (data.IsEmpty)
        {
            return default(JsonElement);
        }
        try
        {
            return JsonElement.Parse(data);
        }
        catch (JsonException exception)
        {
            throw faults.Unavailable($"it sent malformed JSON: {exception.Message}");
        }
    }
}
