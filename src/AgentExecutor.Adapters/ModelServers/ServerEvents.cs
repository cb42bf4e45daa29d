using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>Reads a model server's answer as JSON.</summary>
internal static class ServerEvents
{
    private const string Done = "[DONE]", DataField = "data:";

    /// <summary>
    /// Each event's data, up to <c>[DONE]</c> or the end, and in the place of comments and of events without data something undefined: a sign of life.
    /// </summary>
    public static async IAsyncEnumerable<JsonElement> ReadAsync(Stream stream, ModelFaults faults, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var reader = new StreamReader(stream, leaveOpen: true);
        var data = new List<string>();
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.StartsWith(':'))
            {
                yield return default;
            }
            else if (line.StartsWith(DataField, StringComparison.Ordinal))
            {
                data.Add(line[DataField.Length..].Trim(' '));
            }
            else if (line.Length == 0 && data.Count > 0)
            {
                var text = data.Count == 1 ? data[0] : string.Join('\n', data);
                data.Clear();
                if (text == Done)
                {
                    yield break;
                }
                if (Parse(Encoding.UTF8.GetBytes(text), faults) is { ValueKind: JsonValueKind.Object or JsonValueKind.Undefined } json)
                {
                    yield return json;
                }
            }
        }
    }

    /// <summary>The server says only that it is there.</summary>
    public static bool IsSignOfLife(JsonElement json) => json.ValueKind == JsonValueKind.Undefined || json.TextProperty("type") == "ping";

    /// <summary>An answer that is one JSON object.</summary>
    public static async Task<JsonElement> ReadWholeAsync(Stream stream, ModelFaults faults, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        await stream.CopyToAsync(body, cancellationToken);
        var json = Parse(body.GetBuffer().AsSpan(0, (int)body.Length), faults);
        return json.ValueKind == JsonValueKind.Object ? json : throw faults.Unavailable("it answered with no JSON object");
    }

    private static JsonElement Parse(ReadOnlySpan<byte> data, ModelFaults faults)
    {
        if (data.IsEmpty)
        {
            return default;
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
