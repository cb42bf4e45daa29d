using System.Net.Mime;

namespace AgentExecutor.Core.Messaging;

/// <summary>The event that tells how a job stands: <c>completed</c>, <c>failed</c>, <c>interrupted</c> or <c>cancelled</c>.</summary>
public static class ResultEvent
{
    /// <param name="eventId">The same for every publish of the same result.</param>
    /// <param name="dataJson">UTF-8 JSON; it is kept, not copied.</param>
    /// <exception cref="ArgumentException">There is no such status.</exception>
    public static CloudEvent Of(string jobId, string status, ReadOnlyMemory<byte> dataJson, string traceParent, string eventId, DateTimeOffset time) => new()
    {
        Id = eventId,
        Source = EventTypes.Source,
        Type = TypeOf(status),
        Subject = jobId,
        Time = time,
        DataContentType = MediaTypeNames.Application.Json,
        Extensions = CloudEvent.NoExtensions.Add("traceparent", AttributeValue.Of(traceParent)),
        DataKind = EventDataKind.Json,
        Data = dataJson,
    };

    /// <summary>The NATS subject on which results of this status are published.</summary>
    /// <exception cref="ArgumentException">There is no such status.</exception>
    public static string SubjectOf(string status)
    {
        TypeOf(status);
        return $"{BusSubjects.Results}{status}";
    }

    private static string TypeOf(string status) => status switch
    {
        "completed" => EventTypes.Completed,
        "failed" => EventTypes.Failed,
        "interrupted" => EventTypes.Interrupted,
        "cancelled" => EventTypes.Cancelled,
        _ => throw new ArgumentException($"no event tells of the status '{status}'", nameof(status)),
    };
}
