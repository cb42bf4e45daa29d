using System.Net.Http.Headers;
using System.Text;

namespace AgentExecutor.IntegrationTests.Support;

/// <summary>Reads server-sent events line by line, as the standard defines them.</summary>
public sealed class EventReader : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly StreamReader _lines;

    private EventReader(HttpResponseMessage response, Stream body) =>
        (_response, _lines) = (response, new StreamReader(body, Encoding.UTF8));

    public HttpResponseHeaders Headers => _response.Headers;

    public HttpContentHeaders ContentHeaders => _response.Content.Headers;

    /// <summary>The comments so far.</summary>
    public List<string> Comments { get; } = [];

    /// <summary>Every line so far.</summary>
    public List<string> Lines { get; } = [];

    public static string Path(string thread, long? after = null) => $"/threads/{thread}/events{(after is null ? "" : $"?after={after}")}";

    public static HttpRequestMessage Request(string path, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        return request;
    }

    /// <summary>Watches a thread from the start, or after a number.</summary>
    public static Task<EventReader> OpenAsync(HttpClient http, string thread, long? after = null) =>
        OpenAsync(http, Request(Path(thread, after)));

    public static async Task<EventReader> OpenAsync(HttpClient http, HttpRequestMessage request)
    {
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.True((int)response.StatusCode == 200, $"{response.StatusCode}: {await TextOfAsync(response)}");
        return new EventReader(response, await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
    }

    /// <summary>The next event, or null at the end.</summary>
    public async Task<WatchedEvent?> NextAsync()
    {
        long? id = null;
        var type = "message";
        var data = new List<string>();
        while (await LineAsync() is { } line)
        {
            switch (line.Split(": ", 2))
            {
                case [""] when data.Count > 0:
                    return new WatchedEvent(id, type, string.Join('\n', data));
                case ["", var comment]:
                    Comments.Add(comment);
                    break;
                case ["id", var value]:
                    id = long.Parse(value, System.Globalization.CultureInfo.InvariantCulture);
                    break;
                case ["event", var value]:
                    type = value;
                    break;
                case ["data", var value]:
                    data.Add(value);
                    break;
            }
        }
        Assert.Empty(data); // The stream must not end within an event.
        return null;
    }

    /// <summary>The next events, as many as requested.</summary>
    public async Task<List<WatchedEvent>> TakeAsync(int count)
    {
        var received = new List<WatchedEvent>();
        while (received.Count < count)
        {
            received.Add(Assert.IsType<WatchedEvent>(await NextAsync()));
        }
        return received;
    }

    /// <summary>All events up to the first of the type, inclusive.</summary>
    public async Task<List<WatchedEvent>> UntilAsync(string type)
    {
        var received = new List<WatchedEvent>();
        do
        {
            received.Add(Assert.IsType<WatchedEvent>(await NextAsync()));
        } while (received[^1].Type != type);
        return received;
    }

    /// <summary>All events up to the end of the response.</summary>
    public async Task<List<WatchedEvent>> RestAsync()
    {
        var received = new List<WatchedEvent>();
        while (await NextAsync() is { } next)
        {
            received.Add(next);
        }
        return received;
    }

    /// <summary>All events of a thread.</summary>
    public static async Task<List<WatchedEvent>> AllAsync(HttpClient http, string thread, long? after = null)
    {
        using var reader = await OpenAsync(http, thread, after);
        return await reader.RestAsync();
    }

    public async Task<string?> LineAsync()
    {
        var line = await _lines.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(AgentExecutorProgram.Limit);
        if (line is not null)
        {
            Lines.Add(line);
        }
        return line;
    }

    public void Dispose()
    {
        _response.Dispose();
        _lines.Dispose();
    }

    private static async Task<string> TextOfAsync(HttpResponseMessage response) =>
        (int)response.StatusCode == 200 ? "" : await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
}
