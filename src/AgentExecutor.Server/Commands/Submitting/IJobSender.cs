using System.Text.Json;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Server.Commands.Submitting;

/// <summary>Sends a job to a service, and hears how it came out.</summary>
internal interface IJobSender : IAsyncDisposable
{
    /// <summary>Who is sent to, for people.</summary>
    string Target { get; }

    /// <summary>Sends the request; it is durable when the call returns.</summary>
    /// <param name="data"><c>{trace_id, job_id, agent_definition, input_payload}</c>, or a CloudEvent around it.</param>
    Task SendAsync(string jobId, ReadOnlyMemory<byte> data, CancellationToken cancellationToken);

    /// <summary>Where the job has come to stand: its end, or a question.</summary>
    Task<JobEnd> WaitAsync(string jobId, CancellationToken cancellationToken);
}

/// <summary>How a job came out.</summary>
/// <param name="Status">Completed, failed, cancelled or interrupted.</param>
/// <param name="Data">The outcome: <c>{result}</c>, <c>{error}</c> or <c>{interrupts}</c>.</param>
internal sealed record JobEnd(RunStatus Status, JsonElement Data);
