using System.Net.Http.Headers;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Server.Commands.Submitting;

/// <summary>Sends jobs to a service over HTTP, and looks how they stand.</summary>
internal sealed class HttpJobSender(Uri url) : IJobSender
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly HttpClient _http = new() { BaseAddress = url };

    public string Target => ServiceAnswers.Name(url);

    public async Task SendAsync(string jobId, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Content = new ReadOnlyMemoryContent(data) };
        var isEvent = JsonElement.Parse(data.Span).Property("specversion") is not null;
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(isEvent ? CloudEventWriter.ContentType : "application/json");
        request.Headers.Add("Prefer", "respond-async");
        using var response = await TryAsync(() => _http.SendAsync(request, cancellationToken));
        await CheckAsync(response, cancellationToken);
    }

    public async Task<JobEnd> WaitAsync(string jobId, CancellationToken cancellationToken)
    {
        for (var away = TimeSpan.Zero; ; await Task.Delay(Look, TimeProvider.System, cancellationToken))
        {
            try
            {
                using var response = await TryAsync(() => _http.GetAsync($"/deepagents-runtime/state/{Uri.EscapeDataString(jobId)}", cancellationToken));
                await CheckAsync(response, cancellationToken);
                var state = JsonElement.Parse(await response.Content.ReadAsByteArrayAsync(cancellationToken));
                if (Enum.TryParse<RunStatus>(state.TextProperty("status"), ignoreCase: true, out var status) && status != RunStatus.Running)
                {
                    return new JobEnd(status, state);
                }
                away = TimeSpan.Zero;
            }
            catch (FaultException fault) when (fault.IsTransient && (away += Look) < Patience)
            {
                // a replica that stops; the job is stored
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<HttpResponseMessage> TryAsync(Func<Task<HttpResponseMessage>> send)
    {
        try
        {
            return await send();
        }
        catch (HttpRequestException exception)
        {
            throw ServiceAnswers.None(url, exception);
        }
    }

    private static async Task CheckAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (!response.IsSuccessStatusCode)
        {
            throw await ServiceAnswers.ReadFaultAsync(response, cancellationToken);
        }
    }
}
