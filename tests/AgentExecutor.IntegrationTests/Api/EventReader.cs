using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace AgentExecutor.IntegrationTests.Api;

/// <summary>An event as a watcher got it.</summary>
/// <param name="Id">Its number; null where it has none.</param>
/// <param name="Type">Its type.</param>
/// <param name="Data">Its JSON, as it stood on the wire.</param>
public sealed record Told(long? Id, string Type, string Data)
{
    public JsonElement Json => JsonElement.Parse(Data);

    /// <summary>What the event says.</summary>
    public JsonElement Said => Json.GetProperty("data");

    public bool IsLogged => Id is not null && Type != "on_llm_stream";

    /// <summary>An event of a WebSocket, whose number and type stand in the JSON alone.</summary>
    public static Told Frame(string data)
    {
        var json = JsonElement.Parse(data);
        return new Told(json.GetProperty("seq").GetInt64(), json.GetProperty("event_type").GetString()!, data);
    }
}

/// <summary>Reads server-sent events line by line, as the standard has them.</summary>
public sealed class EventReader : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly StreamReader _lines;

    private EventReader(HttpResponseMessage response, Stream body) => (_response, _lines) = (response, new StreamReader(body, Encoding.UTF8));

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
    public static Task<EventReader> OpenAsync(HttpClient http, string thread, long? after = null) => OpenAsync(http, Request(Path(thread, after)));

    public static async Task<EventReader> OpenAsync(HttpClient http, HttpRequestMessage request)
    {
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.True((int)response.StatusCode == 200, $"{response.StatusCode}: {await TextOfAsync(response)}");
        return new EventReader(response, await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
    }

    /// <summary>The next event; null at the end.</summary>
    public async Task<Told?> NextAsync()
    {
        long? id = null;
        var type = "message";
        var data = new List<string>();
        while (await LineAsync() is { } line)
        {
            switch (line.Split(": ", 2))
            {
                case [""] when data.Count > 0:
                    return new Told(id, type, string.Join('\n', data));
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
        Assert.Empty(data); // an event that is not complete is none
        return null;
    }

    /// <summary>The next so many events.</summary>
    public async Task<List<Told>> TakeAsync(int count)
    {
        var told = new List<Told>();
        while (told.Count < count)
        {
            told.Add(Assert.IsType<Told>(await NextAsync()));
        }
        return told;
    }

    /// <summary>All events up to one of the type, with it.</summary>
    public async Task<List<Told>> UntilAsync(string type)
    {
        var told = new List<Told>();
        do
        {
            told.Add(Assert.IsType<Told>(await NextAsync()));
        }
        while (told[^1].Type != type);
        return told;
    }

    /// <summary>All events to the end of the answer.</summary>
    public async Task<List<Told>> RestAsync()
    {
        var told = new List<Told>();
        while (await NextAsync() is { } next)
        {
            told.Add(next);
        }
        return told;
    }

    /// <summary>All of a thread, from the start.</summary>
    public static async Task<List<Told>> AllAsync(HttpClient http, string thread, long? after = null)
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
