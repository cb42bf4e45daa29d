using System.Text.Json;

namespace AgentExecutor.IntegrationTests.Support;

/// <summary>An event as a watcher received it.</summary>
/// <param name="Id">The number, or null for an event without one.</param>
/// <param name="Type">The type.</param>
/// <param name="Data">The JSON as it was on the wire.</param>
public sealed record WatchedEvent(long? Id, string Type, string Data)
{
    public JsonElement Json => JsonElement.Parse(Data);

    /// <summary>The <c>data</c> of the event.</summary>
    public JsonElement Payload => Json.GetProperty("data");

    public bool IsLogged => Id is not null && Type != "on_llm_stream";

    /// <summary>An event of a WebSocket, which has its number and type only in the JSON.</summary>
    public static WatchedEvent Frame(string data)
    {
        var json = JsonElement.Parse(data);
        return new WatchedEvent(json.GetProperty("seq").GetInt64(), json.GetProperty("event_type").GetString()!, data);
    }
}
