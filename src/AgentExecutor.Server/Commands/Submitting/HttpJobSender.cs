using System.Net.Http.Headers;
using AgentExecutor.Core;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;
using AgentExecutor.Server.Commands.Remote;

namespace AgentExecutor.Server.Commands.Submitting;

/// <summary>Sends jobs to a service over HTTP, and polls their state.</summary>
internal sealed class HttpJobSender(Uri url) : IJobSender
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan MaxOutage = TimeSpan.FromSeconds(60);

    private readonly ServiceClient _client = new(url);

    public Uri? Url => url;

    public string Target => ServiceResponses.Name(url);

    public async Task SendAsync(string jobId, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Content = new ReadOnlyMemoryContent(data) };
        var isEvent = StoredJson.Parse(data.Span).Property("specversion") is not null;
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(isEvent ? CloudEventWriter.ContentType : "application/json");
        request.Headers.Add("Prefer", "respond-async");
        using var response = await _client.SendAsync(request, cancellationToken);
    }

    public async Task<JobResult> WaitAsync(string jobId, CancellationToken cancellationToken)
    {
        var path = $"/deepagents-runtime/state/{Uri.EscapeDataString(jobId)}";
        for (var outage = TimeSpan.Zero; ; await Task.Delay(PollInterval, TimeProvider.System, cancellationToken))
        {
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, path);
                using var response = await _client.SendAsync(request, cancellationToken);
                var state = StoredJson.Parse(await response.Content.ReadAsByteArrayAsync(cancellationToken));
                if (Enum.TryParse<RunStatus>(state.TextProperty("status"), ignoreCase: true, out var status) && status != RunStatus.Running)
                {
                    return new JobResult(status, state);
                }
                outage = TimeSpan.Zero;
            }
            catch (FaultException fault) when (fault.IsTransient && (outage += PollInterval) < MaxOutage)
            {
                // the job is stored, so it is safe to wait for another replica
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }
}
