using System.Text;

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>What a <see cref="ModelServer"/> answers.</summary>
public sealed record ModelReply
{
    public const string Json = "application/json";

    public string Text { get; init; } = "";

    public string Reasoning { get; init; } = "";

    /// <summary>On Anthropic's wire: thinks on after its text, untold, and before its second call, withheld.</summary>
    public bool ThinksOn { get; init; }

    public IReadOnlyList<ModelToolCall> Calls { get; init; } = [];

    /// <summary>In the wire's own words; what fits where it is null.</summary>
    public string? FinishReason { get; init; }

    /// <summary>Input (without what was cached), output, from the cache, to the cache.</summary>
    public (int Input, int Output, int Cached, int Written) Usage { get; init; } = (10, 5, 0, 0);

    /// <summary>Characters of text or arguments in one chunk.</summary>
    public int ChunkSize { get; init; } = 7;

    /// <summary>The status of a refusal.</summary>
    public int? Status { get; init; }

    public string Body { get; init; } = "";

    public string ContentType { get; init; } = Json;

    public IReadOnlyList<(string Name, string Value)> Headers { get; init; } = [];

    /// <summary>What is sent instead, as it is.</summary>
    public IReadOnlyList<string>? Pieces { get; init; }

    /// <summary>After how many pieces it ends, in the way of <see cref="Ending"/>.</summary>
    public int? EndsAfter { get; init; }

    public ModelEnding Ending { get; init; }

    /// <summary>Awaited after each piece, by its place.</summary>
    public Func<int, Task> Between { get; init; } = _ => Task.CompletedTask;

    public static ModelReply Says(string text) => new() { Text = text };

    public static ModelReply Asks(params IReadOnlyList<ModelToolCall> calls) => new() { Calls = calls };

    public static ModelReply Refuses(int status, string body, params IReadOnlyList<(string, string)> headers) => new() { Status = status, Body = body, Headers = headers };

    /// <summary>Server-sent events with these data, as they are.</summary>
    public static ModelReply Raw(params IEnumerable<string> data) => new() { Pieces = [.. data.Select(it => it.StartsWith(':') ? it + "\n\n" : $"data: {it}\n\n")] };

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

/// <summary>A call that the model asks for.</summary>
/// <param name="Arguments">As text, which may be no JSON.</param>
public sealed record ModelToolCall(string Id, string Name, string Arguments);
