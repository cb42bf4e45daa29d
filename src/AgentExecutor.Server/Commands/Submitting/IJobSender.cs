using System.Text.Json;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Server.Commands.Submitting;

/// <summary>Sends a job to a service, and waits for its result.</summary>
internal interface IJobSender : IAsyncDisposable
{
    /// <summary>The service that receives the job, for messages.</summary>
    string Target { get; }

    /// <summary>The HTTP URL of the service, or null if it is not reached over HTTP.</summary>
    Uri? Url { get; }

    /// <summary>Sends the job, which is stored durably when the call returns.</summary>
    /// <param name="data"><c>{trace_id, job_id, agent_definition, input_payload}</c>, or a CloudEvent around it.</param>
    Task SendAsync(string jobId, ReadOnlyMemory<byte> data, CancellationToken cancellationToken);

    /// <summary>Waits until the job ends or is interrupted.</summary>
    Task<JobResult> WaitAsync(string jobId, CancellationToken cancellationToken);
}

/// <summary>The result of a job.</summary>
/// <param name="Status">Completed, failed, cancelled or interrupted.</param>
/// <param name="Data">The outcome: <c>{result}</c>, <c>{error}</c> or <c>{interrupts}</c>.</param>
internal sealed record JobResult(RunStatus Status, JsonElement Data);
