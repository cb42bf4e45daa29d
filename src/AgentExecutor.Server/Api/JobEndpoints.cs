using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;
using Microsoft.AspNetCore.Http;

namespace AgentExecutor.Server.Api;

/// <summary>Jobs by HTTP: CloudEvents at <c>/</c>, plain requests at <c>/deepagents-runtime/invoke</c>, and how a job stands.</summary>
internal sealed class JobEndpoints(ServiceGate gate)
{
    /// <summary>Takes one event, or a batch; answers when the job has come to its end, or at once where the caller prefers that.</summary>
    public async Task ReceiveAsync(HttpContext context)
    {
        var service = gate.RequireTaking();
        var body = await Requests.ReadBodyAsync(context);
        var isBatch = JobRequestReader.IsBatch(context.Request.ContentType);
        IReadOnlyList<JobRequest> requests = isBatch
            ? ReadBatch(body)
            : [JobRequestReader.ReadMessage(context.Request.ContentType, Requests.Headers(context), body)];
        foreach (var request in requests)
        {
            service.Desk.Check(request);
        }
        var admissions = await service.Desk.AdmitAsync([.. requests], null, context.RequestAborted);
        RefuseConflicts(admissions);
        if (Requests.PrefersAsync(context))
        {
            await AcceptAsync(context, admissions, isBatch);
        }
        else
        {
            await AnswerAsync(context, service, admissions, isBatch);
        }
    }

    /// <summary>Starts a job and says so.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        var service = gate.RequireTaking();
        var request = JobRequestReader.ReadMessage(context.Request.ContentType, [], await Requests.ReadBodyAsync(context));
        service.Desk.Check(request);
        var admissions = await service.Desk.AdmitAsync([request], null, context.RequestAborted);
        RefuseConflicts(admissions);
        await Requests.WriteAsync(context, StatusCodes.Status200OK, writer =>
        {
            writer.WriteString("thread_id"u8, request.JobId);
            writer.WriteString("status"u8, "started"u8);
        });
    }

    /// <summary>How a job stands, and its result where it has one.</summary>
    public async Task StateAsync(HttpContext context)
    {
        var (service, threadId) = (gate.Require(), Requests.ThreadId(context));
        var state = await new RunStates(service).FindAsync(threadId, context.RequestAborted)
            ?? throw new FaultException(FaultCodes.UnknownThread, $"there is no thread '{threadId}'", "check the id");
        await Requests.WriteAsync(context, StatusCodes.Status200OK, state.Write);
    }

    /// <summary>Every fault of every event; one bad event keeps the whole batch out, so that sending it again does no harm.</summary>
    private static List<JobRequest> ReadBatch(ReadOnlyMemory<byte> body)
    {
        var entries = JobRequestReader.ReadBatch(body);
        var faults = entries.SelectMany(entry => entry.Fault?.Faults ?? []).ToList();
        return faults.Count == 0 ? [.. entries.Select(entry => entry.Value!)] : throw new EventException(FaultCodes.InvalidEvent, faults);
    }

    private static void RefuseConflicts(IReadOnlyList<Admission> admissions)
    {
        var conflicts = admissions.Where(admission => admission.IsConflict).Select(admission => $"'{admission.Request.JobId}'").ToList();
        if (conflicts.Count > 0)
        {
            throw new FaultException(
                FaultCodes.JobConflict, $"the job {string.Join(", ", conflicts)} was accepted before, with another definition or input",
                admissions.Count == conflicts.Count ? "give yours another job_id" : "give yours another job_id; the other events of the batch were accepted");
        }
    }

    private static async Task AcceptAsync(HttpContext context, IReadOnlyList<Admission> admissions, bool isBatch)
    {
        context.Response.Headers["Preference-Applied"] = "respond-async";
        if (isBatch)
        {
            await Requests.WriteListAsync(context, StatusCodes.Status202Accepted, admissions, static (writer, admission) => WriteAccepted(writer, admission.Request.JobId));
            return;
        }
        context.Response.Headers.Location = StatePath(admissions[0].Request.JobId);
        await Requests.WriteAsync(context, StatusCodes.Status202Accepted, writer => WriteAcceptedFields(writer, admissions[0].Request.JobId));
    }

    private static async Task AnswerAsync(HttpContext context, Service service, IReadOnlyList<Admission> admissions, bool isBatch)
    {
        var outcomes = await Task.WhenAll(admissions.Select(admission => OutcomeAsync(context, service, admission)));
        if (isBatch)
        {
            await Requests.WriteListAsync(context, StatusCodes.Status200OK, outcomes, static (writer, outcome) => writer.WriteRawValue(outcome.Json.Span, skipInputValidation: true));
            return;
        }
        var isEnd = outcomes[0].Status != RunStatus.Interrupted;
        if (!isEnd)
        {
            context.Response.Headers.Location = StatePath(admissions[0].Request.JobId);
        }
        context.Response.StatusCode = isEnd ? StatusCodes.Status200OK : StatusCodes.Status202Accepted;
        context.Response.ContentType = Requests.Json;
        await context.Response.BodyWriter.WriteAsync(outcomes[0].Json, context.RequestAborted);
    }

    private static async Task<Outcome> OutcomeAsync(HttpContext context, Service service, Admission admission)
    {
        var run = admission.Submitted.Run;
        return run.IsFinished && await new RunStates(service).OutcomeAsync(run, context.RequestAborted) is { } known
            ? known
            : await service.Waits.WaitAsync(admission.Key, context.RequestAborted);
    }

    private static void WriteAccepted(Utf8JsonWriter writer, string jobId)
    {
        writer.WriteStartObject();
        WriteAcceptedFields(writer, jobId);
        writer.WriteEndObject();
    }

    private static void WriteAcceptedFields(Utf8JsonWriter writer, string jobId)
    {
        writer.WriteString("job_id"u8, jobId);
        writer.WriteString("status"u8, "accepted"u8);
        writer.WriteString("location"u8, StatePath(jobId));
    }

    private static string StatePath(string jobId) => $"/deepagents-runtime/state/{Uri.EscapeDataString(jobId)}";
}
