using System.Collections.Immutable;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Threads;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// Stores requests for jobs as runs, whichever way they arrived. Each job is stored once, and before it is reported as accepted. The thread
/// and the run of a job have its id.
/// </summary>
public sealed class JobAdmitter(CompiledAgents agents, IRunQueue queue, TimeProvider time)
{
    /// <summary>Checks the definition and the input of a request before it becomes a job.</summary>
    /// <exception cref="FaultException">
    /// The definition or the input is invalid. A <see cref="DefinitionException"/> lists all faults of the definition.
    /// </exception>
    public async ValueTask CheckAsync(JobRequest request, CancellationToken cancellationToken)
    {
        var agent = await agents.GetAsync(request.Definition, cancellationToken);
        InputReader.Read(StoredJson.Parse(request.Input.Span), agent.Graph.Channels, request.JobId, agent.NeedsMessage);
    }

    /// <summary>Returns true if the job was stored before.</summary>
    public async ValueTask<bool> IsKnownAsync(JobRequest request, CancellationToken cancellationToken) =>
        await queue.FindAsync(request.JobId, request.JobId, cancellationToken) is not null;

    /// <summary>Stores the jobs. They are durable when the call returns. The answers have the order of the requests.</summary>
    /// <param name="claimLease">If not null, new jobs are claimed at once with this lease.</param>
    public async ValueTask<ImmutableArray<Admission>> AdmitAsync(
        ImmutableArray<JobRequest> requests,
        Lease? claimLease,
        CancellationToken cancellationToken
    )
    {
        var now = time.GetUtcNow();
        // In parallel, because compiling a definition for its name can take as long as running its scripts once.
        var submissions = await Task.WhenAll(requests.Select(request => SubmissionAsync(request, now, cancellationToken)));
        var submitted = await queue.SubmitAsync([.. submissions], claimLease, cancellationToken);
        return [.. submitted.Select((it, index) => new Admission(requests[index], it, IsOther(requests[index], it)))];
    }

    /// <summary>
    /// Returns true if the stored job came from a different request. A run that was not submitted as a job has no hash to compare with.
    /// </summary>
    private static bool IsOther(JobRequest request, SubmittedRun submitted) =>
        !submitted.IsNew && submitted.RequestHash.Length > 0 && submitted.RequestHash != request.RequestHash;

    private async Task<RunSubmission> SubmissionAsync(JobRequest request, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var hash = AgentCompiler.HashOf(request.Definition.Span);
        var run = new Run
        {
            ThreadId = request.JobId,
            RunId = request.JobId,
            TraceId = request.TraceId,
            Name = await NameOfAsync(request, cancellationToken),
            DefinitionHash = hash,
            CreatedAt = now,
            UpdatedAt = now,
        };
        return new RunSubmission(run, new StoredDefinition(hash, request.Definition), request.Input)
        {
            RequestHash = request.RequestHash,
            TraceParent = request.TraceParent,
        };
    }

    /// <summary>
    /// Returns "" for an invalid definition. It is accepted here, and its job fails with all faults, because the sender may only receive
    /// results.
    /// </summary>
    private async ValueTask<string> NameOfAsync(JobRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return (await agents.GetAsync(request.Definition, cancellationToken)).Name;
        }
        catch (FaultException)
        {
            return "";
        }
    }
}

/// <summary>The result of submitting a job.</summary>
/// <param name="Request">The request.</param>
/// <param name="Submitted">The run of the job.</param>
/// <param name="IsConflict">True if a different job with this id was accepted before.</param>
public sealed record Admission(JobRequest Request, SubmittedRun Submitted, bool IsConflict)
{
    public RunKey Key => new(Request.JobId, Request.JobId);
}
