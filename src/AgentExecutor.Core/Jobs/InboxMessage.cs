using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Threads;

namespace AgentExecutor.Core.Jobs;

/// <summary>A message of the inbox: answers to questions, or the result of an external tool. This is a closed family.</summary>
internal abstract record InboxMessage(string ThreadId)
{
    /// <summary>Reads the event in a message.</summary>
    /// <exception cref="EventException">The message is not a valid event.</exception>
    /// <exception cref="FaultException">The data is not valid.</exception>
    public static InboxMessage Read(StoredMessage message)
    {
        if (message.Fault is { } broken)
        {
            throw Fault($"headers: {broken}");
        }
        var value = CloudEventReader.ReadMessage(message.Headers, message.Body);
        var data = DataOf(value);
        return value.Type switch
        {
            EventTypes.Resume => new Answers(Text(data, "thread_id"), AnswerList.Read(data.Property("answers") ?? default)),
            EventTypes.ToolCompleted => new Result(Text(data, "thread_id"), Text(data, "call_id"), ToolResultReader.Read(data)),
            _ => throw Fault($"the type '{value.Type}' is neither {EventTypes.Resume} nor {EventTypes.ToolCompleted}"),
        };
    }

    private static JsonElement DataOf(CloudEvent value)
    {
        try
        {
            var data = InputJson.Parse(value.Data.Span, isStrict: true);
            return data.ValueKind == JsonValueKind.Object ? data : throw Fault("the data is not a JSON object");
        }
        catch (JsonException exception)
        {
            throw Fault($"the data is not valid JSON: {exception.Message}");
        }
    }

    private static string Text(JsonElement data, string name) =>
        data.TextProperty(name) is { Length: > 0 and <= 1_000 } text ? text : throw Fault($"'{name}' is missing");

    private static FaultException Fault(string message) => new(FaultCodes.InvalidEvent, message, "see docs/events.md");

    public sealed record Answers(string ThreadId, IReadOnlyDictionary<string, JsonElement> Given) : InboxMessage(ThreadId);

    public sealed record Result(string ThreadId, string CallId, JsonElement Value) : InboxMessage(ThreadId);
}
