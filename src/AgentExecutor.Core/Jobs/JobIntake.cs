using System.Collections.Immutable;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// Takes jobs from the bus for the free slots, and no more. A job is stored before it runs; its message stays in hand until its result is announced. What can never be
/// worked on goes to the dead letters, and holds nobody up.
/// </summary>
internal sealed class JobIntake(
    IEventBus bus, JobDesk desk, JobLedger ledger, DeadLetters deadLetters, RunCompleter completer, RunControl control, Lease lease, WorkerSettings settings,
    Nudge slotFreed, TimeProvider time, ILogger logger)
{
    /// <summary>Statements that store jobs at once.</summary>
    private const int MostAdmissions = 4;

    /// <summary>A message that cannot be stored comes again later each time: a store that takes no writes for minutes must not use its deliveries up.</summary>
    private const int LongestPauses = 60;

    private static readonly TimeSpan FetchWait = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly List<Task> _admissions = [];
    private int _admitting;
    private volatile bool _isStoreAway;

    /// <summary>Messages that are being made runs: each will take a slot.</summary>
    public int Admitting => Volatile.Read(ref _admitting);

    /// <summary>Small enough that workers who ask at the same time get their parts in turn.</summary>
    private int Portion { get; } = Math.Max(1, settings.Slots / 4);

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await TakeAsync(stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                break;
            }
            catch (FaultException fault) when (fault.Code is FaultCodes.BusUnavailable or FaultCodes.StoreUnavailable)
            {
                // both say so themselves, once
                await Task.Delay(Pause, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        await Task.WhenAll(_admissions); // each message is settled or held before anyone is told that no more is taken
    }

    private async Task TakeAsync(CancellationToken stopping)
    {
        // A message stays in hand a little longer than its run has its slot: until its result is announced.
        var free = Math.Min(settings.Slots - completer.Taken - _admitting, (2 * settings.Slots) + completer.Waiting - ledger.Count - _admitting);
        if (free <= 0)
        {
            await slotFreed.WaitAsync(Pause, time, stopping);
            return;
        }
        if (_isStoreAway)
        {
            await ledger.SettleAsync([.. ledger.Jobs], stopping); // throws while it is: nothing is fetched that cannot be stored
            _isStoreAway = false;
        }
        var deliveries = await bus.FetchAsync(Math.Min(free, Portion), FetchWait, stopping);
        if (!deliveries.IsEmpty)
        {
            await AdmitBesideAsync(deliveries);
        }
    }

    /// <summary>While some messages are being stored the next are fetched; from here on it is not broken off.</summary>
    private async Task AdmitBesideAsync(ImmutableArray<IDelivery> deliveries)
    {
        _admissions.RemoveAll(static admission => admission.IsCompleted);
        if (_admissions.Count >= MostAdmissions)
        {
            _admissions.Remove(await Task.WhenAny(_admissions));
        }
        Interlocked.Add(ref _admitting, deliveries.Length);
        _admissions.Add(CountedAsync(deliveries));
    }

    private async Task CountedAsync(ImmutableArray<IDelivery> deliveries)
    {
        try
        {
            await AdmitAsync(deliveries);
        }
        catch (Exception exception) // whatever it was, the messages come again
        {
            _isStoreAway |= exception is FaultException { Code: FaultCodes.StoreUnavailable };
            await ReturnAsync(deliveries, exception);
        }
        finally
        {
            Interlocked.Add(ref _admitting, -deliveries.Length);
            slotFreed.Give();
        }
    }

    private async Task AdmitAsync(ImmutableArray<IDelivery> deliveries)
    {
        var (readable, requests) = (new List<IDelivery>(deliveries.Length), ImmutableArray.CreateBuilder<JobRequest>(deliveries.Length));
        foreach (var delivery in deliveries)
        {
            if (await ReadAsync(delivery) is { } request)
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

    /// <summary>A job that the store refuses for good is put aside; those that came with it are not to blame, and are admitted one by one.</summary>
    private async Task StoreAsync(List<IDelivery> deliveries, ImmutableArray<JobRequest> requests)
    {
        ImmutableArray<Admission> admissions;
        try
        {
            admissions = await desk.AdmitAsync(requests, lease, CancellationToken.None);
        }
        catch (FaultException fault) when (!fault.IsTransient && fault.Code != FaultCodes.StoreUnavailable)
        {
            if (requests.Length == 1)
            {
                await BuryAsync(deliveries[0], fault.Code, fault.Message, requests[0].JobId);
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
        await FollowAsync(deliveries, admissions);
    }

    /// <summary>Begins what is new, and finds out about what is not.</summary>
    private async Task FollowAsync(List<IDelivery> deliveries, ImmutableArray<Admission> admissions)
    {
        Begin(deliveries, admissions); // first, and nothing can stand in its way: these runs are ours
        var known = ImmutableArray.CreateBuilder<RunKey>();
        for (var i = 0; i < admissions.Length; i++)
        {
            var (admission, delivery) = (admissions[i], deliveries[i]);
            if (admission.IsConflict)
            {
                await BuryAsync(
                    delivery, FaultCodes.JobConflict, $"the job '{admission.Request.JobId}' was accepted before, with another definition or input", admission.Request.JobId);
            }
            else if (!admission.Submitted.IsNew)
            {
                await BeginAgainAsync(admission, delivery);
                known.Add(admission.Key);
            }
        }
        if (known.Count > 0)
        {
            await ledger.SettleAsync(known.ToImmutable(), CancellationToken.None);
        }
    }

    private void Begin(List<IDelivery> deliveries, ImmutableArray<Admission> admissions)
    {
        for (var i = 0; i < admissions.Length; i++)
        {
            if (!admissions[i].IsConflict)
            {
                ledger.Hold(admissions[i].Key, deliveries[i]);
            }
            if (admissions[i].Submitted.Claimed is { } claimed)
            {
                completer.Begin(claimed);
            }
        }
    }

    /// <summary>
    /// A person sent a failed job again. On a later delivery a worker may have begun it before it died: then it failed after the message was sent, and is left so.
    /// </summary>
    private async Task BeginAgainAsync(Admission admission, IDelivery delivery)
    {
        var run = admission.Submitted.Run;
        if (delivery.Message.Header(DeadLetters.Redriven) is not null && run.Status == RunStatus.Failed && (delivery.Attempt == 1 || run.UpdatedAt < delivery.Message.Time))
        {
            await control.BeginAgainAsync(run, CancellationToken.None);
        }
    }

    /// <summary>Null where it cannot be read, and was put aside.</summary>
    private async Task<JobRequest?> ReadAsync(IDelivery delivery)
    {
        try
        {
            var request = JobRequestReader.ReadMessage(null, delivery.Message.Headers, delivery.Message.Body);
            if (delivery.Attempt <= settings.MaxDeliveries || await desk.IsKnownAsync(request, CancellationToken.None))
            {
                return request; // a job that runs for days sees many deliveries
            }
            await BuryAsync(delivery, FaultCodes.DeliveredTooOften, $"delivered {delivery.Attempt} times and never stored", request.JobId);
            return null;
        }
        catch (EventException fault)
        {
            await BuryAsync(delivery, fault.Code, fault.Message, "");
            return null;
        }
    }

    private async Task BuryAsync(IDelivery delivery, string code, string reason, string jobId)
    {
        await deadLetters.PutAsync(delivery, code, reason, CancellationToken.None);
        await delivery.TermAsync(reason, CancellationToken.None);
        Telemetry.NatsMessagesFailed.Add(1);
        Log.Buried(logger, delivery.Message.Sequence, reason, code, jobId, "");
    }

    /// <summary>Messages that are settled already do not mind; those that the ledger holds come once more and find their jobs.</summary>
    private async Task ReturnAsync(ImmutableArray<IDelivery> deliveries, Exception because)
    {
        try
        {
            foreach (var delivery in deliveries)
            {
                await delivery.NakAsync(Pause * Math.Min(delivery.Attempt * delivery.Attempt, LongestPauses), CancellationToken.None);
            }
        }
        catch (FaultException)
        {
            // the bus is away: they come again by themselves
        }
        if (because is not FaultException { Code: FaultCodes.BusUnavailable or FaultCodes.StoreUnavailable })
        {
            Log.NotAdmitted(logger, because, deliveries.Length);
        }
    }
}
