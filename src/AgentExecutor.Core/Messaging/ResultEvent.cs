using System.Net.Mime;

namespace AgentExecutor.Core.Messaging;

/// <summary>
/// Creates the event that reports the outcome of a job: <c>completed</c>, <c>failed</c>, <c>interrupted</c> or <c>cancelled</c>.
/// </summary>
public static class ResultEvent
{
    /// <param name="eventId">The same for every publication of the same result.</param>
    /// <param name="dataJson">UTF-8 JSON. It is kept without a copy.</param>
    /// <exception cref="ArgumentException">There is no such status.</exception>
    public static CloudEvent Of(
        string jobId,
        string status,
        ReadOnlyMemory<byte> dataJson,
        string traceParent,
        string eventId,
        DateTimeOffset time
    ) =>
        new()
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

    /// <summary>Returns the NATS subject on which results with this status are published.</summary>
    /// <exception cref="ArgumentException">There is no such status.</exception>
    public static string SubjectOf(string status)
    {
        TypeOf(status);
        return $"{BusSubjects.Results}{status}";
    }

    private static string TypeOf(string status) =>
        status switch
        {
            "completed" => EventTypes.Completed,
            "failed" => EventTypes.Failed,
            "interrupted" => EventTypes.Interrupted,
            "cancelled" => EventTypes.Cancelled,
            _ => throw new ArgumentException($"there is no event for the status '{status}'", nameof(status)),
        };
}
