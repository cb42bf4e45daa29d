using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Server.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace AgentExecutor.Server.Api;

/// <summary>
/// The routes for jobs: CloudEvents at <c>/</c>, plain requests at <c>/deepagents-runtime/invoke</c>, and the state of a job.
/// </summary>
internal sealed class JobEndpoints(JobAdmitter admitter, OutcomeWaiters waiters, RunStates states, ReadLimit reads, ServiceGate gate)
{
    public static void Map(WebApplication app)
    {
        app.MapJobPost<JobEndpoints>("/", static (jobs, context) => jobs.ReceiveAsync(context));
        app.MapJobPost<JobEndpoints>("/deepagents-runtime/invoke", static (jobs, context) => jobs.InvokeAsync(context));
        app.MapStoreRead<JobEndpoints>("/deepagents-runtime/state/{thread_id}", static (jobs, context) => jobs.StateAsync(context));
    }

    /// <summary>Accepts an event or a batch of events. Responds when the jobs have ended, or at once if the client prefers that.</summary>
    public async Task ReceiveAsync(HttpContext context)
    {
        var body = await Requests.ReadBodyAsync(context);
        var isBatch = JobRequestReader.IsBatch(context.Request.ContentType);
        IReadOnlyList<JobRequest> requests = isBatch
            ? await BatchRequests.ReadAsync(body, admitter, context.RequestAborted)
            : [JobRequestReader.ReadMessage(context.Request.ContentType, Requests.Headers(context), body)];
        if (!isBatch)
        {
            await admitter.CheckAsync(requests[0], context.RequestAborted);
        }
        var admissions = await AdmitAsync(context, [.. requests]);
        if (Requests.PrefersAsync(context))
        {
            await AcceptAsync(context, admissions, isBatch);
        }
        else
        {
            await WaitAsync(context, admissions, isBatch);
        }
    }

    /// <summary>Accepts a job, and responds without waiting for its end.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        var request = JobRequestReader.ReadMessage(context.Request.ContentType, [], await Requests.ReadBodyAsync(context));
        await admitter.CheckAsync(request, context.RequestAborted);
        await AdmitAsync(context, [request]);
        await Requests.WriteAsync(
            context,
            StatusCodes.Status200OK,
            writer =>
            {
                writer.WriteString("thread_id"u8, request.JobId);
                writer.WriteString("status"u8, "started"u8);
            }
        );
    }

    /// <summary>Responds with the state of a job, and its result if it has one.</summary>
    public async Task StateAsync(HttpContext context)
    {
        var threadId = Requests.ThreadId(context);
        using var deadline = Requests.Deadline(context);
        using var turn = await reads.EnterAsync(context, deadline.Token);
        var state = await states.FindAsync(threadId, deadline.Token) ?? throw Requests.UnknownThread(threadId);
        await Requests.WriteAsync(context, StatusCodes.Status200OK, state.Write);
    }

    /// <summary>
    /// Stores jobs. If the deadline expires, the client can send the same jobs again, because jobs that were stored are recognised.
    /// </summary>
    private async Task<ImmutableArray<Admission>> AdmitAsync(HttpContext context, ImmutableArray<JobRequest> requests)
    {
        using var deadline = Requests.Deadline(context);
        var admissions = await admitter.AdmitAsync(requests, null, deadline.Token);
        RejectConflicts(admissions);
        return admissions;
    }

    private static void RejectConflicts(IReadOnlyList<Admission> admissions)
    {
        var conflicts = admissions.Where(admission => admission.IsConflict).Select(admission => $"'{admission.Request.JobId}'").ToList();
        if (conflicts.Count > 0)
        {
            throw new FaultException(
                FaultCodes.JobConflict,
                $"the job {string.Join(", ", conflicts)} was already accepted with another definition or input",
                admissions.Count == conflicts.Count
                    ? "use another job_id"
                    : "use another job_id; the other events of the batch were accepted"
            );
        }
    }

    private static async Task AcceptAsync(HttpContext context, IReadOnlyList<Admission> admissions, bool isBatch)
    {
        context.Response.Headers["Preference-Applied"] = "respond-async";
        await RespondAsync(context, admissions, new Outcome?[admissions.Count], isBatch);
    }

    private async Task WaitAsync(HttpContext context, IReadOnlyList<Admission> admissions, bool isBatch)
    {
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, gate.WaitingEnds);
        var outcomes = await Task.WhenAll(admissions.Select(admission => OutcomeAsync(context, admission, waiting.Token)));
        await RespondAsync(context, admissions, outcomes, isBatch);
    }

    /// <summary>Responds with 200 if all jobs have ended, otherwise with 202 and the URLs of the states of the other jobs.</summary>
    private static async Task RespondAsync(HttpContext context, IReadOnlyList<Admission> admissions, Outcome?[] outcomes, bool isBatch)
    {
        var status = outcomes.All(outcome => outcome is { Status: not RunStatus.Interrupted })
            ? StatusCodes.Status200OK
            : StatusCodes.Status202Accepted;
        if (isBatch)
        {
            await Requests.WriteListAsync(
                context,
                status,
                [.. admissions.Zip(outcomes)],
                static (writer, it) => Write(writer, it.First, it.Second)
            );
            return;
        }
        if (status == StatusCodes.Status202Accepted)
        {
            context.Response.Headers.Location = StatePath(admissions[0].Request.JobId);
        }
        await Requests.WriteAsync(
            context,
            status,
            JsonBytes.Write((admissions[0], outcomes[0]), static (writer, it) => Write(writer, it.Item1, it.Item2))
        );
    }

    /// <summary>Waits for the outcome of a job. Returns null if the service shuts down before the job has ended.</summary>
    private async Task<Outcome?> OutcomeAsync(HttpContext context, Admission admission, CancellationToken waiting)
    {
        var run = admission.Submitted.Run;
        if (RunResult.IsOutcome(run.Status))
        {
            using var deadline = Requests.Deadline(context);
            using var turn = await reads.EnterAsync(context, deadline.Token);
            return await states.OutcomeAsync(run, deadline.Token);
        }
        try
        {
            return await waiters.WaitAsync(admission.Key, run.LastSequence, waiting);
        }
        catch (OperationCanceledException)
            when (gate.WaitingEnds.IsCancellationRequested && !context.RequestAborted.IsCancellationRequested)
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

    public static string StatePath(string jobId) => $"/deepagents-runtime/state/{Uri.EscapeDataString(jobId)}";
}
