using System.Collections.Immutable;
using System.Globalization;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// Stores the jobs of messages as runs, and starts them in the slots of the worker. Each message is held until the result of its job is
/// published.
/// </summary>
internal sealed class JobStarter(
    JobMessages messages,
    JobAdmitter admitter,
    RunControl control,
    HeldMessages heldMessages,
    IRunSlots slots,
    Lease lease
)
{
    /// <exception cref="FaultException">The store or the bus is not available. The caller returns the messages to the bus.</exception>
    public async Task StartAsync(ImmutableArray<IDelivery> deliveries)
    {
        var (readable, requests) = (new List<IDelivery>(deliveries.Length), ImmutableArray.CreateBuilder<JobRequest>(deliveries.Length));
        foreach (var delivery in deliveries)
        {
            if (await messages.ReadAsync(delivery) is { } request)
            {
                readable.Add(delivery);
                requests.Add(request);
            }
        }
        if (requests.Count > 0)
        {
            await StoreAsync(readable, requests.ToImmutable());
        }
    }

    /// <summary>
    /// Stores the jobs. If the store permanently refuses a batch, its jobs are stored one by one, and only those that are refused again are
    /// moved to the dead letters.
    /// </summary>
    private async Task StoreAsync(List<IDelivery> deliveries, ImmutableArray<JobRequest> requests)
    {
        ImmutableArray<Admission> jobs;
        try
        {
            jobs = await admitter.AdmitAsync(requests, lease, CancellationToken.None);
        }
        catch (FaultException fault) when (!fault.IsTransient && fault.Code != FaultCodes.StoreUnavailable)
        {
            if (requests.Length == 1)
            {
                await messages.RejectAsync(deliveries[0], fault.Code, fault.Message, requests[0].JobId);
            }
            else
            {
                for (var i = 0; i < requests.Length; i++)
                {
                    await StoreAsync([deliveries[i]], [requests[i]]);
                }
            }
            return;
        }
        await FollowAsync(deliveries, jobs);
    }

    /// <summary>Starts the new jobs, and checks the status of those that were stored before.</summary>
    private async Task FollowAsync(List<IDelivery> deliveries, ImmutableArray<Admission> jobs)
    {
        // This comes first because it cannot fail: these runs are leased to this worker.
        Begin(deliveries, jobs);
        var known = ImmutableArray.CreateBuilder<RunKey>();
        for (var i = 0; i < jobs.Length; i++)
        {
            var (job, delivery) = (jobs[i], deliveries[i]);
            if (job.IsConflict)
            {
                var jobId = job.Request.JobId;
                var reason = $"the job '{jobId}' was accepted before, with another definition or input";
                await messages.RejectAsync(delivery, FaultCodes.JobConflict, reason, jobId);
            }
            else if (!job.Submitted.IsNew)
            {
                if (MustRetry(job, delivery))
                {
                    await control.RetryAsync(job.Submitted.Run, CancellationToken.None);
                }
                known.Add(job.Key);
            }
        }
        if (known.Count > 0)
        {
            await heldMessages.AcknowledgePublishedAsync(known.ToImmutable(), CancellationToken.None);
        }
    }

    private void Begin(List<IDelivery> deliveries, ImmutableArray<Admission> jobs)
    {
        for (var i = 0; i < jobs.Length; i++)
        {
            if (!jobs[i].IsConflict)
            {
                heldMessages.Hold(jobs[i].Key, deliveries[i], OutcomesBefore(jobs[i], deliveries[i]));
            }
            if (jobs[i].Submitted.Claimed is { } claimed)
            {
                slots.Begin(claimed);
            }
        }
    }

    /// <summary>
    /// Returns true if an operator has sent a failed job again and it must be started again. At a redelivery, a worker may have started it
    /// before that worker was lost. If it then failed at a later attempt than the message names, it is not started again. A message that
    /// names no attempt is compared by time, although its time comes from the clock of the bus and the run's from a worker.
    /// </summary>
    private static bool MustRetry(Admission job, IDelivery delivery) =>
        delivery.Message.Header(DeadLetters.Redriven) is not null
        && job.Submitted.Run is { Status: RunStatus.Failed } run
        && (
            delivery.Attempt == 1
            || (
                int.TryParse(
                    delivery.Message.Header(DeadLetters.FailedAttempt),
                    NumberStyles.None,
                    CultureInfo.InvariantCulture,
                    out var failed
                )
                    ? run.Attempt <= failed
                    : run.UpdatedAt < delivery.Message.Time
            )
        );

    /// <summary>
    /// Returns the sequence up to which the message ignores outcomes. A job that runs again, because it was sent again after a failure or
    /// because its interrupt was answered, has a published outcome of an earlier attempt. Its message is acknowledged after the next
    /// outcome.
    /// </summary>
    private static long OutcomesBefore(Admission job, IDelivery delivery)
    {
        var run = job.Submitted.Run;
        return RunResult.IsOutcome(run.Status) && !MustRetry(job, delivery) ? HeldMessages.AnyOutcome : run.LastSequence;
    }
}
