using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Graphs.Definitions;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Core.Jobs;

/// <summary>
/// Takes requests for jobs, however they came: each is stored as a run, once, before anyone is told that it was accepted. A job's thread and run have its id.
/// </summary>
public sealed class JobDesk(CompiledAgents agents, IRunQueue queue, TimeProvider time)
{
    /// <summary>Refuses a request whose definition or input is at fault, before it becomes a job.</summary>
    /// <exception cref="FaultException">What is wrong: a <see cref="DefinitionException"/> with all faults of the definition, or that of the input.</exception>
    public void Check(JobRequest request)
    {
        var agent = agents.Get(request.Definition);
        InputReader.Read(JsonElement.Parse(request.Input.Span), agent.Graph.Channels, request.JobId, agent.NeedsMessage);
    }

    /// <summary>True where the job was stored before.</summary>
    public async ValueTask<bool> IsKnownAsync(JobRequest request, CancellationToken cancellationToken) =>
        await queue.FindAsync(request.JobId, request.JobId, cancellationToken) is not null;

    /// <summary>Stores the jobs; durable when the call returns. What became of each, in order.</summary>
    /// <param name="takeFor">Takes those that are new at once.</param>
    public async ValueTask<ImmutableArray<Admission>> AdmitAsync(ImmutableArray<JobRequest> requests, Lease? takeFor, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var submitted = await queue.SubmitAsync([.. requests.Select(request => Submission(request, now))], takeFor, cancellationToken);
        return [.. submitted.Select((it, index) => new Admission(requests[index], it, IsOther(requests[index], it)))];
    }

    /// <summary>A run that was not submitted as a job has no hash to hold against.</summary>
    private static bool IsOther(JobRequest request, SubmittedRun submitted) =>
        !submitted.IsNew && submitted.RequestHash.Length > 0 && submitted.RequestHash != request.RequestHash;

    private RunSubmission Submission(JobRequest request, DateTimeOffset now)
    {
        var hash = AgentCompiler.HashOf(request.Definition.Span);
        var run = new Run
        {
            ThreadId = request.JobId,
            RunId = request.JobId,
            TraceId = request.TraceId,
            Name = NameOf(request),
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

    /// <summary>A definition with faults is accepted here: its job fails with all of them, for its sender may hear of results alone.</summary>
    private string NameOf(JobRequest request)
    {
        try
        {
            return agents.Get(request.Definition).Name;
        }
        catch (FaultException)
        {
            return "";
        }
    }
}

/// <summary>What became of a request.</summary>
/// <param name="Request">The request.</param>
/// <param name="Submitted">Its run.</param>
/// <param name="IsConflict">There was a job of this id before, and it is another.</param>
public sealed record Admission(JobRequest Request, SubmittedRun Submitted, bool IsConflict)
{
    public RunKey Key => new(Request.JobId, Request.JobId);
}
