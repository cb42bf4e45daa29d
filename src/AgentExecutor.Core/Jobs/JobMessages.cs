using AgentExecutor.Core.Messaging;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// Reads the jobs in messages. A message that can never be processed is moved to the dead letters, so that it does not delay others.
/// </summary>
internal sealed class JobMessages(JobAdmitter admitter, DeadLetters deadLetters, int maxDeliveries, ILogger logger)
{
    /// <summary>Returns the request, or null if the message cannot be read and was moved to the dead letters.</summary>
    public async Task<JobRequest?> ReadAsync(IDelivery delivery)
    {
        try
        {
            if (delivery.Message.Fault is { } broken)
            {
                var fault = EventFaults.One("headers", broken, "send headers in the format of NATS, or none");
                throw new EventException(FaultCodes.InvalidEvent, fault);
            }
            var request = JobRequestReader.ReadMessage(null, delivery.Message.Headers, delivery.Message.Body);
            if (delivery.Attempt <= maxDeliveries || await admitter.IsKnownAsync(request, CancellationToken.None))
            {
                // A job that runs for days is delivered many times.
                return request;
            }
            await RejectAsync(
                delivery,
                FaultCodes.DeliveredTooOften,
                $"delivered {delivery.Attempt} times and never stored",
                request.JobId
            );
            return null;
        }
        catch (EventException fault)
        {
            await RejectAsync(delivery, fault.Code, fault.Message, "");
            return null;
        }
    }

    /// <summary>Moves a message to the dead letters. The bus does not deliver it again.</summary>
    public async Task RejectAsync(IDelivery delivery, string code, string reason, string jobId)
    {
        await deadLetters.PutAsync(delivery, code, reason, CancellationToken.None);
        await delivery.TermAsync(reason, CancellationToken.None);
        Telemetry.NatsMessagesFailed.Add(1);
        Log.DeadLettered(logger, delivery.Message.Sequence, reason, code, jobId, "");
    }
}
