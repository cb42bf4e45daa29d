using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Json;
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
            ? BatchRequests.Read(body, service.Desk)
            : [JobRequestReader.ReadMessage(context.Request.ContentType, Requests.Headers(context), body)];
        if (!isBatch)
        {
            service.Desk.Check(requests[0]);
        }
        var admissions = await AdmitAsync(context, service, [.. requests]);
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
        await AdmitAsync(context, service, [request]);
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
        using var deadline = Requests.Deadline(context);
        var state = await new RunStates(service).FindAsync(threadId, deadline.Token)
            ?? throw new FaultException(FaultCodes.UnknownThread, $"there is no thread '{threadId}'", "check the id");
        await Requests.WriteAsync(context, StatusCodes.Status200OK, state.Write);
    }

    /// <summary>Who gives up does no harm: what was stored meanwhile is found when the same job is sent again.</summary>
    private static async Task<ImmutableArray<Admission>> AdmitAsync(HttpContext context, Service service, ImmutableArray<JobRequest> requests)
    {
        using var deadline = Requests.Deadline(context);
        var admissions = await service.Desk.AdmitAsync(requests, null, deadline.Token);
        RefuseConflicts(admissions);
        return admissions;
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
        await AnswerAsync(context, admissions, new Outcome?[admissions.Count], isBatch);
    }

    private async Task AnswerAsync(HttpContext context, Service service, IReadOnlyList<Admission> admissions, bool isBatch)
    {
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, gate.Leaving);
        var outcomes = await Task.WhenAll(admissions.Select(admission => OutcomeAsync(context, service, admission, waiting.Token)));
        await AnswerAsync(context, admissions, outcomes, isBatch);
    }

    /// <summary>200 where all have come to their end; else 202, and where to ask for what has not.</summary>
    private static async Task AnswerAsync(HttpContext context, IReadOnlyList<Admission> admissions, Outcome?[] outcomes, bool isBatch)
    {
        var status = outcomes.All(outcome => outcome is { Status: not RunStatus.Interrupted }) ? StatusCodes.Status200OK : StatusCodes.Status202Accepted;
        if (isBatch)
        {
            await Requests.WriteListAsync(context, status, [.. admissions.Zip(outcomes)], static (writer, it) => Write(writer, it.First, it.Second));
            return;
        }
        if (status == StatusCodes.Status202Accepted)
        {
            context.Response.Headers.Location = StatePath(admissions[0].Request.JobId);
        }
        await Requests.WriteAsync(context, status, JsonBytes.Write((admissions[0], outcomes[0]), static (writer, it) => Write(writer, it.Item1, it.Item2)));
    }

    /// <summary>Null where the service left before it came.</summary>
    private async Task<Outcome?> OutcomeAsync(HttpContext context, Service service, Admission admission, CancellationToken waiting)
    {
        var run = admission.Submitted.Run;
        if (RunResult.IsOutcome(run.Status))
        {
            return await new RunStates(service).OutcomeAsync(run, context.RequestAborted);
        }
        try
        {
            return await service.Waits.WaitAsync(admission.Key, run.LastSequence, waiting);
        }
        catch (OperationCanceledException) when (gate.Leaving.IsCancellationRequested && !context.RequestAborted.IsCancellationRequested)
        {
            return null;
        }
    }

    private static void Write(Utf8JsonWriter writer, Admission admission, Outcome? outcome)
    {
        if (outcome is not null)
        {
            writer.WriteRawValue(outcome.Json.Span, skipInputValidation: true);
            return;
        }
        writer.WriteStartObject();
        writer.WriteString("job_id"u8, admission.Request.JobId);
        writer.WriteString("status"u8, "accepted"u8);
        writer.WriteString("location"u8, StatePath(admission.Request.JobId));
        writer.WriteEndObject();
    }

    private static string StatePath(string jobId) => $"/deepagents-runtime/state/{Uri.EscapeDataString(jobId)}";
}
