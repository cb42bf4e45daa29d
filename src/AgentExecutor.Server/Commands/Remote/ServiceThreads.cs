using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Server.Commands.Remote;

/// <summary>Asks a service over HTTP to cancel or resume a thread.</summary>
internal sealed class ServiceThreads(Uri url) : IDisposable
{
    private readonly ServiceClient _client = new(url);

    /// <summary>Returns true if the run is cancelled, and false if its worker has been asked to cancel it.</summary>
    /// <exception cref="FaultException">The service cannot be reached (transient), or it rejects the request.</exception>
    public async Task<bool> CancelAsync(string threadId, CancellationToken cancellationToken) =>
        await PostAsync(threadId, "cancel", null, cancellationToken) == HttpStatusCode.OK;

    /// <param name="answers">The answers by interrupt id; the id <c>""</c> means the only open interrupt.</param>
    /// <exception cref="FaultException">The service cannot be reached (transient), or it rejects the request.</exception>
    public Task ResumeAsync(string threadId, IReadOnlyDictionary<string, JsonElement> answers, CancellationToken cancellationToken) =>
        PostAsync(threadId, "resume", answers.Count == 0 ? null : JsonBytes.Write(answers, WriteAnswers), cancellationToken);

    public void Dispose() => _client.Dispose();

    private async Task<HttpStatusCode> PostAsync(string threadId, string what, byte[]? json, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/threads/{Uri.EscapeDataString(threadId)}/{what}");
        if (json is not null)
        {
            request.Content = new ByteArrayContent(json);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }
        using var response = await _client.SendAsync(request, cancellationToken);
        return response.StatusCode;
    }

    private static void WriteAnswers(Utf8JsonWriter writer, IReadOnlyDictionary<string, JsonElement> answers)
    {
        writer.WriteStartObject();
        if (answers.TryGetValue("", out var only) && answers.Count == 1)
        {
            writer.WritePropertyName("answer"u8);
            only.WriteTo(writer);
        }
        else
        {
            writer.WriteStartObject("answers"u8);
            foreach (var (id, answer) in answers)
            {
                writer.WritePropertyName(id);
                answer.WriteTo(writer);
            }
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }
}
