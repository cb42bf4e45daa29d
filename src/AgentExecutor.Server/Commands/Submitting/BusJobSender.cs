using System.Buffers;
using AgentExecutor.Core;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Server.Commands.Submitting;

/// <summary>Publishes jobs to NATS, and waits for their results in the result stream.</summary>
internal sealed class BusJobSender(IEventBus bus, string target) : IJobSender
{
    private const int PageSize = 500;

    private static readonly SearchValues<char> Numbers = SearchValues.Create("0123456789:");

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// How long to wait for a newer result, if the stream already had a result of this job id before the job was published.
    /// </summary>
    private static readonly TimeSpan NewResultTimeout = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan MaxOutage = TimeSpan.FromMinutes(1);

    private ReadOnlyMemory<byte> _data;
    private long _letters;
    private long _results;
    private long _before;
    private StoredMessage? _last;
    private long _sent;

    public Uri? Url => null;

    public string Target => target;

    public async Task SendAsync(string jobId, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        // Earlier results are recognised by sequence number and not by time, because clocks differ.
        await ReadResultsAsync(jobId, cancellationToken);
        await SkipLettersAsync(cancellationToken);
        (_before, _sent, _data) = (_results, TimeProvider.System.GetTimestamp(), data);
        var isEvent = StoredJson.Parse(data.Span).Property("specversion") is not null;
        await bus.PublishAsync(
            [
                new BusMessage($"{BusSubjects.Jobs}submitted", data)
                {
                    Headers = [KeyValuePair.Create("Content-Type", isEvent ? CloudEventWriter.ContentType : "application/json")],
                },
            ],
            cancellationToken
        );
    }

    /// <summary>Returns the newest result of the job, or throws the reason why it became a dead letter.</summary>
    public async Task<JobResult> WaitAsync(string jobId, CancellationToken cancellationToken)
    {
        for (var outage = TimeSpan.Zero; ; await Task.Delay(PollInterval, TimeProvider.System, cancellationToken))
        {
            try
            {
                await ThrowIfDeadLetteredAsync(cancellationToken);
                await ReadResultsAsync(jobId, cancellationToken);
                if (_last is { } last && (last.Sequence > _before || TimeProvider.System.GetElapsedTime(_sent) > NewResultTimeout))
                {
                    return await ReadResultAsync(last, cancellationToken);
                }
                outage = TimeSpan.Zero;
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.BusUnavailable && (outage += PollInterval) < MaxOutage)
            {
                // the job is stored, so it is safe to wait for the connection
            }
        }
    }

    private async Task ThrowIfDeadLetteredAsync(CancellationToken cancellationToken)
    {
        foreach (var letter in await bus.ReadAsync(new BusQuery(BusStream.DeadLetters, PageSize, _letters), cancellationToken))
        {
            _letters = letter.Sequence;
            if (letter.Body.Span.SequenceEqual(_data.Span))
            {
                throw new FaultException(
                    letter.Header(DeadLetters.Code) ?? FaultCodes.InvalidEvent,
                    letter.Header(DeadLetters.Reason) ?? "the job became a dead letter",
                    $"show it with: agent-executor dead-letters show {letter.Sequence}"
                );
            }
        }
    }

    private async Task SkipLettersAsync(CancellationToken cancellationToken)
    {
        var count = PageSize;
        while (count == PageSize)
        {
            var page = await bus.ReadAsync(new BusQuery(BusStream.DeadLetters, PageSize, _letters, HasBodies: false), cancellationToken);
            (_letters, count) = (page.IsEmpty ? _letters : page[^1].Sequence, page.Length);
        }
    }

    /// <summary>Reads only headers, because the id of a result starts with the id of its job.</summary>
    private async Task ReadResultsAsync(string jobId, CancellationToken cancellationToken)
    {
        var count = PageSize;
        while (count == PageSize)
        {
            var page = await bus.ReadAsync(new BusQuery(BusStream.Results, PageSize, _results, HasBodies: false), cancellationToken);
            _last = page.LastOrDefault(message => IsOf(message.Id, jobId)) ?? _last;
            (_results, count) = (page.IsEmpty ? _results : page[^1].Sequence, page.Length);
        }
    }

    /// <summary>
    /// The id of a result is the job id followed by numbers. The numbers are checked, because one job id can be a prefix of another.
    /// </summary>
    internal static bool IsOf(string resultId, string jobId) =>
        resultId.Length > jobId.Length
        && resultId[jobId.Length] == ':'
        && resultId.StartsWith(jobId, StringComparison.Ordinal)
        && resultId.AsSpan(jobId.Length + 1) is var numbers
        && numbers.Count(':') <= 1
        && !numbers.ContainsAnyExcept(Numbers);

    private async Task<JobResult> ReadResultAsync(StoredMessage result, CancellationToken cancellationToken)
    {
        var whole = (await bus.ReadAsync(new BusQuery(BusStream.Results, 1, result.Sequence - 1), cancellationToken))[0];
        var status = Enum.Parse<RunStatus>(result.Subject[BusSubjects.Results.Length..], ignoreCase: true);
        return new JobResult(status, StoredJson.Parse(whole.Body.Span).GetProperty("data"));
    }

    public ValueTask DisposeAsync() => bus.DisposeAsync();
}
