using System.Text;

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>The answer of a <see cref="ModelServer"/>.</summary>
public sealed record ModelReply
{
    public const string Json = "application/json";

    public string Text { get; init; } = "";

    public string Reasoning { get; init; } = "";

    /// <summary>On the Anthropic API, adds thinking without text after the answer, and redacted thinking before the second call.</summary>
    public bool ThinksOn { get; init; }

    public IReadOnlyList<ModelToolCall> Calls { get; init; } = [];

    /// <summary>The finish reason in the words of the API, or null for the one that fits.</summary>
    public string? FinishReason { get; init; }

    /// <summary>Tokens of input (without cached ones) and output, and those read from and written to the cache.</summary>
    public (int Input, int Output, int Cached, int Written) Usage { get; init; } = (10, 5, 0, 0);

    /// <summary>The number of characters of text or arguments in one chunk.</summary>
    public int ChunkSize { get; init; } = 7;

    /// <summary>The status of a refusal.</summary>
    public int? Status { get; init; }

    public string Body { get; init; } = "";

    public string ContentType { get; init; } = Json;

    public IReadOnlyList<(string Name, string Value)> Headers { get; init; } = [];

    /// <summary>Bytes that are sent unchanged instead.</summary>
    public IReadOnlyList<string>? Pieces { get; init; }

    /// <summary>Bytes that are sent unchanged instead, each part in its own write.</summary>
    public IReadOnlyList<byte[]>? Bytes { get; init; }

    /// <summary>The number of pieces after which the answer ends as <see cref="Ending"/> says.</summary>
    public int? EndsAfter { get; init; }

    public ModelEnding Ending { get; init; }

    /// <summary>Is awaited after each piece, whose position it gets.</summary>
    public Func<int, Task> Between { get; init; } = _ => Task.CompletedTask;

    public static ModelReply Says(string text) => new() { Text = text };

    public static ModelReply Asks(params IReadOnlyList<ModelToolCall> calls) => new() { Calls = calls };

    public static ModelReply Refuses(int status, string body, params IReadOnlyList<(string, string)> headers) =>
        new()
        {
            Status = status,
            Body = body,
            Headers = headers,
        };

    /// <summary>Server-sent events with unchanged data.</summary>
    public static ModelReply Raw(params IEnumerable<string> data) =>
        new() { Pieces = [.. data.Select(it => it.StartsWith(':') ? it + "\n\n" : $"data: {it}\n\n")] };

    internal IEnumerable<string> Chunks(string text)
    {
        var runes = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            runes.Append(rune);
            if (runes.Length >= ChunkSize)
            {
                yield return runes.ToString();
                runes.Clear();
            }
        }
        if (runes.Length > 0)
        {
            yield return runes.ToString();
        }
    }
}

/// <summary>A tool call of the model.</summary>
/// <param name="Arguments">The text of the arguments, which may be invalid JSON.</param>
public sealed record ModelToolCall(string Id, string Name, string Arguments);
