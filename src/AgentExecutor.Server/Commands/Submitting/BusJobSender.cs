using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Server.Commands.Submitting;

/// <summary>Publishes jobs to NATS, and looks for their results in the stream of results.</summary>
internal sealed class BusJobSender(IEventBus bus, string target) : IJobSender
{
    private const int Page = 500;

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(1);

    private DateTimeOffset _sent;

    public string Target => target;

    public async Task SendAsync(string jobId, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        _sent = TimeProvider.System.GetUtcNow();
        var isEvent = JsonElement.Parse(data.Span).Property("specversion") is not null;
        await bus.PublishAsync(
            [
                new BusMessage($"{BusSubjects.Jobs}submitted", data)
                {
                    Headers = [KeyValuePair.Create("Content-Type", isEvent ? CloudEventWriter.ContentType : "application/json")],
                },
            ],
            cancellationToken);
    }

    /// <summary>The results since it was sent, each looked at once.</summary>
    public async Task<JobEnd> WaitAsync(string jobId, CancellationToken cancellationToken)
    {
        for (var after = 0L; ;)
        {
            var page = await bus.ReadAsync(new BusQuery(BusStream.Results, Page, after, _sent - Skew), cancellationToken);
            foreach (var message in page)
            {
                after = message.Sequence;
                if (JsonElement.Parse(message.Body.Span) is var result && result.TextProperty("subject") == jobId && result.Property("data") is { } data)
                {
                    var status = message.Subject[BusSubjects.Results.Length..];
                    return new JobEnd(Enum.Parse<RunStatus>(status, ignoreCase: true), data);
                }
            }
            if (page.Length < Page)
            {
                await Task.Delay(Look, TimeProvider.System, cancellationToken);
            }
        }
    }

    public ValueTask DisposeAsync() => bus.DisposeAsync();
}
