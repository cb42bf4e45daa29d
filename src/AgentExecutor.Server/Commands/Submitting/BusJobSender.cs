using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Jobs;
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

    /// <summary>A job that ended before it was sent again: so long it may still turn out to be another job of its id.</summary>
    private static readonly TimeSpan Doubt = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private ReadOnlyMemory<byte> _data;
    private long _letters;
    private long _results;
    private StoredMessage? _last;
    private DateTimeOffset _sent;

    public string Target => target;

    public async Task SendAsync(string jobId, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        (_sent, _data) = (TimeProvider.System.GetUtcNow(), data);
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

    /// <summary>The newest result of the job; or the reason why it was put aside.</summary>
    public async Task<JobEnd> WaitAsync(string jobId, CancellationToken cancellationToken)
    {
        for (var away = TimeSpan.Zero; ; await Task.Delay(Look, TimeProvider.System, cancellationToken))
        {
            try
            {
                await ThrowIfPutAsideAsync(cancellationToken);
                await ReadResultsAsync(jobId, cancellationToken);
                var waited = TimeProvider.System.GetUtcNow() - _sent;
                if (_last is { } last && (last.Time > _sent - Skew || waited > Doubt))
                {
                    return await EndAsync(last, cancellationToken);
                }
                away = TimeSpan.Zero;
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.BusUnavailable && (away += Look) < Patience)
            {
                // it may come back; the job is stored
            }
        }
    }

    private async Task ThrowIfPutAsideAsync(CancellationToken cancellationToken)
    {
        foreach (var letter in await bus.ReadAsync(new BusQuery(BusStream.DeadLetters, Page, _letters, _sent - Skew), cancellationToken))
        {
            _letters = letter.Sequence;
            if (letter.Time > _sent - Skew && letter.Body.Span.SequenceEqual(_data.Span))
            {
                throw new FaultException(
                    letter.Header(DeadLetters.Code) ?? FaultCodes.InvalidEvent, letter.Header(DeadLetters.Reason) ?? "the job was put aside",
                    $"look at it with: agent-executor dead-letters show {letter.Sequence}");
            }
        }
    }

    /// <summary>A result's id begins with its job's; so the bodies of others are not read.</summary>
    private async Task ReadResultsAsync(string jobId, CancellationToken cancellationToken)
    {
        for (var count = Page; count == Page;)
        {
            var page = await bus.ReadAsync(new BusQuery(BusStream.Results, Page, _results, HasBodies: false), cancellationToken);
            _last = page.LastOrDefault(message => message.Id.StartsWith($"{jobId}:", StringComparison.Ordinal)) ?? _last;
            (_results, count) = (page.IsEmpty ? _results : page[^1].Sequence, page.Length);
        }
    }

    private async Task<JobEnd> EndAsync(StoredMessage result, CancellationToken cancellationToken)
    {
        var whole = (await bus.ReadAsync(new BusQuery(BusStream.Results, 1, result.Sequence - 1), cancellationToken))[0];
        var status = Enum.Parse<RunStatus>(result.Subject[BusSubjects.Results.Length..], ignoreCase: true);
        return new JobEnd(status, JsonElement.Parse(whole.Body.Span).GetProperty("data"));
    }

    public ValueTask DisposeAsync() => bus.DisposeAsync();
}
