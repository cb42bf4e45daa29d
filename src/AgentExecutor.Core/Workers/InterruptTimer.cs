using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Threads;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Workers;

/// <summary>
/// Does what is due for waiting runs: announces a question again to its next recipient, uses the default answer when the deadline has
/// passed, and passes recorded answers to runs whose process died before it could. Every worker has a timer. An interrupt that one of them
/// takes is hidden from the others for some seconds, and whatever it stores depends on what was stored before.
/// </summary>
internal sealed class InterruptTimer(
    IInterruptStore interrupts,
    RunAnswers answers,
    WorkerSignals signals,
    TimeProvider time,
    ILogger logger
)
{
    private const int Batch = 100;

    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Hold = TimeSpan.FromSeconds(5);

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                if (await PollAsync(stopping) < Batch)
                {
                    // The pause varies by 20 percent, so that the workers of a fleet do not poll all at once.
                    await Task.Delay(Poll * (0.8 + (0.4 * Random.Shared.NextDouble())), time, stopping);
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <summary>Handles at most one batch, and returns its size.</summary>
    public async Task<int> PollAsync(CancellationToken cancellationToken)
    {
        try
        {
            var due = await interrupts.TakeDueAsync(Batch, Hold, cancellationToken);
            foreach (var interrupt in due)
            {
                await HandleAsync(interrupt, cancellationToken);
            }
            return due.Length;
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.StoreUnavailable)
        {
            // The store logs its own outages.
            return 0;
        }
    }

    /// <summary>A failure concerns only this interrupt, which is due again later.</summary>
    private async Task HandleAsync(StoredInterrupt interrupt, CancellationToken cancellationToken)
    {
        try
        {
            if (interrupt.Answer is not null)
            {
                Continue(await answers.ApplyDueAsync(interrupt, cancellationToken));
                return;
            }
            var request = interrupt.Request;
            if (request.Deadline is { } deadline && deadline <= time.GetUtcNow())
            {
                Log.DeadlinePassed(logger, interrupt.RunId, interrupt.ThreadId, interrupt.Id);
                Continue(await answers.ExpireAsync(interrupt, cancellationToken));
            }
            else if (interrupt.Escalation < request.Terms.Escalations.Length)
            {
                await EscalateAsync(interrupt, request, cancellationToken);
            }
        }
        catch (FaultException fault) when (fault.Code != FaultCodes.StoreUnavailable)
        {
            Log.InterruptNotHandled(logger, interrupt.RunId, interrupt.ThreadId, interrupt.Id, fault.Message, fault.Code);
        }
    }

    private void Continue(bool isResumed)
    {
        if (isResumed)
        {
            signals.Claimer.Set();
        }
    }

    private async Task EscalateAsync(StoredInterrupt interrupt, InterruptRequest request, CancellationToken cancellationToken)
    {
        if (!await answers.IsAskedAsync(interrupt, cancellationToken))
        {
            await interrupts.CloseAsync([interrupt], cancellationToken);
            return;
        }
        var number = interrupt.Escalation + 1;
        var notice = new StoredNotice(
            $"{interrupt.ThreadId}:{interrupt.Id}:escalation:{number}",
            EventTypes.Interrupted,
            ResultEvent.SubjectOf("interrupted"),
            Announcement(interrupt.RunId, request, number)
        )
        {
            RunId = interrupt.RunId,
        };
        var next = interrupt with { Escalation = number, DueAt = request.DueAfter(number) };
        if (await interrupts.EscalateAsync(next, notice, cancellationToken))
        {
            Log.QuestionEscalated(logger, interrupt.RunId, interrupt.ThreadId, interrupt.Id, number);
            signals.Notices.Set();
        }
    }

    private static byte[] Announcement(string jobId, InterruptRequest request, int number) =>
        JsonBytes.Write(
            (jobId, request, number, recipient: request.Terms.Escalations[number - 1].Recipient),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("job_id"u8, it.jobId);
                writer.WriteNumber("escalation"u8, it.number);
                writer.WriteString("recipient"u8, it.recipient);
                writer.WriteStartArray("interrupts"u8);
                (it.request with { Terms = it.request.Terms with { Recipient = it.recipient } }).Write(writer);
                writer.WriteEndArray();
                writer.WriteEndObject();
            }
        );
}
