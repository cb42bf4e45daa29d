using System.Collections.Immutable;
using System.Net.Mime;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Queues;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// Publishes the messages that commits have stored besides the outcomes of runs: calls of external tools, and further announcements of
/// questions. Like outcomes, each is in its stream once, whatever stops in between.
/// </summary>
internal sealed class NoticeRelay(
    IOutbox outbox,
    IEventBus bus,
    HeldMessages heldMessages,
    WakeSignal wakeSignal,
    TimeProvider time,
    ILogger logger,
    QuestionLinks? links = null
)
{
    private const int Batch = 500;

    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);

    private readonly PublishedIds _requests = new(bus, BusStream.ToolRequests);
    private readonly PublishedIds _results = new(bus, BusStream.Results);

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                if (await RelayAsync(stopping) < Batch)
                {
                    await wakeSignal.WaitAsync(Poll, time, stopping);
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <summary>Publishes at most one batch of messages, and returns their number.</summary>
    public async Task<int> RelayAsync(CancellationToken cancellationToken)
    {
        ImmutableArray<Notice> published = [];
        try
        {
            var count = await outbox.RelayNoticesAsync(
                Batch,
                async (notices, cancel) =>
                {
                    await PublishAsync(notices, cancel);
                    published = notices;
                },
                cancellationToken
            );
            if (!published.IsEmpty && heldMessages.Count > 0)
            {
                // The wait of these runs is stored and announced.
                await heldMessages.AcknowledgePublishedAsync([.. published.Select(static it => it.Run)], cancellationToken);
            }
            return count;
        }
        catch (FaultException fault) when (fault.Code is FaultCodes.BusUnavailable or FaultCodes.StoreUnavailable)
        {
            // The bus and the store log their own outages. The messages stay in the outbox.
            return 0;
        }
        catch (FaultException fault)
        {
            Log.NotPublished(logger, fault.Message, fault.Code);
            return 0;
        }
    }

    private async Task PublishAsync(ImmutableArray<Notice> notices, CancellationToken cancellationToken)
    {
        await bus.OpenInboxAsync(cancellationToken);
        var messages = ImmutableArray.CreateBuilder<BusMessage>(notices.Length);
        foreach (var stream in notices.GroupBy(static it => BusSubjects.StreamOf(it.Subject)))
        {
            var doubtful = stream.Where(it => it.Age > bus.DuplicateWindow / 2).Select(static it => it.CreatedAt).ToList();
            var known = await (stream.Key == BusStream.Results ? _results : _requests).FindAsync(doubtful, cancellationToken);
            messages.AddRange(stream.Where(it => !known.Contains(it.Id)).Select(ToMessage));
        }
        if (messages.Count > 0)
        {
            await bus.PublishAsync(messages.ToImmutable(), cancellationToken);
        }
    }

    private BusMessage ToMessage(Notice notice)
    {
        var trace = notice.TraceParent.Length > 0 ? notice.TraceParent : TraceParent.Derive(notice.Run.RunId, notice.Run.RunId);
        var isCall = notice.Type == EventTypes.ToolRequested;
        var value = new CloudEvent
        {
            Id = notice.Id,
            Source = EventTypes.Source,
            Type = notice.Type,
            Subject = isCall ? notice.Run.ThreadId : notice.Run.RunId,
            Time = notice.CreatedAt,
            DataContentType = MediaTypeNames.Application.Json,
            Extensions = Extensions(notice, trace, isCall),
            DataKind = EventDataKind.Json,
            Data = isCall || links is null ? notice.Json : links.AddTo(notice.Json, notice.Run.ThreadId, notice.CreatedAt),
        };
        return new BusMessage(notice.Subject, CloudEventWriter.Write(value))
        {
            Id = notice.Id,
            Headers = [KeyValuePair.Create("Content-Type", CloudEventWriter.ContentType)],
        };
    }

    /// <summary>The idempotency key of a call is also an attribute of its event.</summary>
    private static ImmutableSortedDictionary<string, AttributeValue> Extensions(Notice notice, string trace, bool isCall)
    {
        var extensions = CloudEvent.NoExtensions.Add("traceparent", AttributeValue.Of(trace));
        return isCall && Json.StoredJson.Parse(notice.Json.Span).GetProperty("idempotency_key").GetString() is { } key
            ? extensions.Add("idempotencykey", AttributeValue.Of(key))
            : extensions;
    }
}
