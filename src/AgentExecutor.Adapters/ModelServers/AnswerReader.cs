using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// Reads the JSON of a model server's answer in every common framing, regardless of its label: server-sent events, a single JSON object
/// (possibly over several lines), or one object per line. The first line decides, because servers and gateways often use the wrong label.
/// </summary>
internal sealed class AnswerReader(Stream stream, ModelFaults faults) : IDisposable
{
    private const string EndMark = "[DONE]",
        DataField = "data:",
        EventField = "event:";
    private const int MaxQuoteLength = 200;

    private static readonly string[] OtherFields = ["id:", "retry:", "id", "retry", "event", "data"];

    private readonly StreamReader _lines = new(stream, leaveOpen: true);
    private readonly Queue<JsonElement> _ready = new();
    private readonly JsonScanner _json = new();
    private string _event = "";
    private string? _stray;
    private bool _isBare,
        _hasJson,
        _hasEnded;

    /// <summary>True if the server marked the end of its answer.</summary>
    public bool IsMarked { get; private set; }

    /// <summary>
    /// Returns the next object; an undefined value for comments and events without data, which are keep-alives; and null at the end.
    /// </summary>
    /// <exception cref="AgentExecutor.Core.FaultException">The data is not JSON, or the connection failed.</exception>
    public async ValueTask<JsonElement?> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_ready.TryDequeue(out var json))
            {
                return json;
            }
            if (_hasEnded || IsMarked)
            {
                return null;
            }
            if (await _lines.ReadLineAsync(cancellationToken) is { } line)
            {
                Take(line);
            }
            else
            {
                End();
            }
        }
    }

    /// <summary>Reads up to the first object without consuming it. <see cref="NextAsync"/> returns it again.</summary>
    public async ValueTask<JsonElement?> PeekAsync(CancellationToken cancellationToken)
    {
        while (await NextAsync(cancellationToken) is { } json)
        {
            if (json.ValueKind != JsonValueKind.Undefined)
            {
                _ready.Enqueue(json);
                for (var others = _ready.Count - 1; others > 0; others--)
                {
                    // Moves the object back to the front.
                    _ready.Enqueue(_ready.Dequeue());
                }
                return json;
            }
        }
        return null;
    }

    /// <summary>Returns true for keep-alives.</summary>
    public static bool IsKeepAlive(JsonElement json) => json.ValueKind == JsonValueKind.Undefined || json.TextProperty("type") == "ping";

    public void Dispose() => _lines.Dispose();

    private void Take(string line)
    {
        if (_isBare && _json.IsOpen)
        {
            TakeData($"\n{line}".AsMemory());
        }
        else if (line.AsSpan().IsWhiteSpace())
        {
            EndEvent();
        }
        else if (line[0] == ':')
        {
            _ready.Enqueue(default);
        }
        else if (line.StartsWith(DataField, StringComparison.Ordinal))
        {
            TakeField(line.AsMemory());
        }
        else if (line.StartsWith(EventField, StringComparison.Ordinal))
        {
            _event = line[EventField.Length..].Trim();
        }
        else if (!Array.Exists(OtherFields, field => field[^1] == ':' ? line.StartsWith(field, StringComparison.Ordinal) : line == field))
        {
            _isBare = JsonScanner.Begins(line.AsSpan().TrimStart());
            TakeData(line.AsMemory());
        }
    }

    /// <summary>Handles a data field. Some proxies repeat the name of the field.</summary>
    private void TakeField(ReadOnlyMemory<char> data)
    {
        _isBare = false;
        while (data.Span.StartsWith(DataField))
        {
            data = data[DataField.Length..].Trim(' ');
        }
        if (data.IsEmpty && !_json.IsOpen)
        {
            _ready.Enqueue(default);
            return;
        }
        TakeData(_json.IsOpen ? $"\n{data}".AsMemory() : data);
    }

    private void TakeData(ReadOnlyMemory<char> data)
    {
        while (!IsMarked)
        {
            data = _json.IsOpen ? data : data.Trim();
            if (data.IsEmpty)
            {
                return;
            }
            if (data.Span.StartsWith(DataField) && !_json.IsOpen)
            {
                data = data[DataField.Length..];
            }
            else if (data.Span.StartsWith(EndMark, StringComparison.OrdinalIgnoreCase) && !_json.IsOpen)
            {
                IsMarked = true;
            }
            else if (!_json.IsOpen && !JsonScanner.Begins(data.Span))
            {
                TakeStray(data.ToString());
                return;
            }
            else if (_json.Take(data, out data) is { } json)
            {
                Parse(json);
            }
        }
    }

    private void TakeStray(string text)
    {
        if (_event.Equals("error", StringComparison.OrdinalIgnoreCase))
        {
            throw faults.Unavailable($"it sent an error instead of an answer: {text}");
        }
        if (!_hasJson && _stray is null && text[0] == '<')
        {
            throw faults.Unavailable($"it returned HTML or XML instead of JSON: {Quote(text)}");
        }
        _stray ??= text;
        _ready.Enqueue(default);
    }

    private void EndEvent()
    {
        _event = "";
        if (_json.IsOpen)
        {
            throw faults.Unavailable("it sent malformed JSON: an event ends in the middle of a value");
        }
    }

    private void End()
    {
        _hasEnded = true;
        if (_json.IsOpen)
        {
            throw faults.Cut();
        }
        if (!_hasJson && !IsMarked)
        {
            throw faults.Unavailable(
                _stray is null ? "it returned an empty answer" : $"it returned text that is not JSON: {Quote(_stray)}"
            );
        }
    }

    private void Parse(string text)
    {
        try
        {
            // The JSON around a value can be nested more deeply than the value.
            var json = StoredJson.Parse(text);
            _hasJson = true;
            if (json.ValueKind == JsonValueKind.Array)
            {
                foreach (var item in json.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.Object))
                {
                    _ready.Enqueue(item);
                }
                return;
            }
            _ready.Enqueue(json);
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException)
        {
            throw faults.Unavailable($"it sent malformed JSON: {exception.Message}");
        }
    }

    private static string Quote(string text) => WellFormedText.Of(text.Length > MaxQuoteLength ? text[..MaxQuoteLength] + "..." : text);
}
