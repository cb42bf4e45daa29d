using System.ClientModel;
using System.ClientModel.Primitives;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;
using OpenAI;
using OpenAI.Chat;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;

namespace AgentExecutor.Adapters.OpenAI;

/// <summary>
/// Chat completions through the SDK's protocol methods. Its typed stream takes only what OpenAI itself sends: other servers leave out roles, invent finish reasons
/// and send the model's thoughts in fields of their own, so requests and answers are written and read here.
/// </summary>
internal sealed class OpenAIChatClient : IChatClient
{
    private readonly HttpClient _http;
    private readonly ChatClient _client;
    private readonly ModelSpec _spec;
    private readonly ModelFaults _faults;
    private readonly OpenAIRequest _request;
    private readonly Uri _server;
    private readonly ServerDemands _demands;

    public OpenAIChatClient(ModelSpec spec, ModelEndpoint endpoint, ModelTransport transport, ModelFaults faults, ServerDemands demands)
    {
        (_spec, _faults, _server, _demands) = (spec, faults, endpoint.BaseUrl, demands);
        _request = new OpenAIRequest(spec);
        _http = new HttpClient(transport, disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan }; // the pool is the provider's, and outlives its clients
        _client = new ChatClient(spec.Model, new ApiKeyCredential(ModelTransport.NoKey), new OpenAIClientOptions
        {
            Endpoint = endpoint.BaseUrl,
            Transport = new HttpClientPipelineTransport(_http),
            RetryPolicy = new ClientRetryPolicy(maxRetries: 0),
            NetworkTimeout = Timeout.InfiniteTimeSpan,
            ClientLoggingOptions = new ClientLoggingOptions { EnableLogging = false },
            EnableDistributedTracing = false,
        });
    }

    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        var (response, callIds) = await AskAsync(messages, options, isStream: false, cancellationToken);
        using var _ = response;
        await using var stream = response.ContentStream!;
        var answer = new OpenAIAnswer(_faults, callIds);
        return new ChatResponse(new ChatMessage(ChatRole.Assistant, [.. answer.TakeWhole(await ServerEvents.ReadWholeAsync(stream, _faults, cancellationToken))]))
        {
            FinishReason = answer.FinishReason,
            ModelId = answer.ModelId ?? _spec.Model,
            Usage = answer.Usage,
        };
    }

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var (response, callIds) = await AskAsync(messages, options, isStream: true, cancellationToken);
        using var _ = response;
        await using var stream = response.ContentStream!;
        var answer = new OpenAIAnswer(_faults, callIds);
        if (IsWhole(response))
        {
            var contents = answer.TakeWhole(await ServerEvents.ReadWholeAsync(stream, _faults, cancellationToken)).ToList();
            yield return Update(answer, contents);
        }
        else
        {
            await using var events = ServerEvents.ReadAsync(stream, _faults, cancellationToken).GetAsyncEnumerator(cancellationToken);
            while (await MoveNextAsync(events, answer))
            {
                yield return ServerEvents.IsSignOfLife(events.Current) ? SignOfLife.Update : Update(answer, answer.TakeChunk(events.Current));
            }
            yield return Update(answer, answer.End());
        }
        yield return Update(answer, answer.Usage is { } usage ? [new UsageContent(usage)] : []);
    }

    public object? GetService(Type serviceType, object? serviceKey = null) => serviceKey is null && serviceType.IsInstanceOfType(this) ? this : null;

    public void Dispose() => _http.Dispose();

    /// <summary>Where the server asks for the same in another form it is asked so at once, and from the start from then on.</summary>
    private async Task<(PipelineResponse Response, IReadOnlySet<string> CallIds)> AskAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options, bool isStream, CancellationToken cancellationToken)
    {
        var model = options?.ModelId ?? _spec.Model;
        var known = _demands.Of(_server, model);
        for (var demands = known; ;)
        {
            var request = _request.Write(messages, options, isStream, demands);
            try
            {
                var response = await SendAsync(request, isStream, cancellationToken);
                if (demands != known)
                {
                    _demands.Learn(_server, model, demands);
                }
                return (response, request.CallIds);
            }
            catch (ServerRefusal refusal) when (_request.DemandIn(refusal.Error, options) is var demand && (demand & ~demands) != ServerDemand.None)
            {
                demands |= demand;
            }
        }
    }

    private async Task<PipelineResponse> SendAsync(OpenAIRequest.Written request, bool isStream, CancellationToken cancellationToken)
    {
        var options = new RequestOptions { BufferResponse = false, CancellationToken = cancellationToken };
        options.SetHeader("Accept", isStream ? "text/event-stream, application/json" : "application/json");
        var result = await _client.CompleteChatAsync(BinaryContent.Create(BinaryData.FromBytes(request.Body)), options);
        return result.GetRawResponse();
    }

    /// <summary>A connection that fails when all but the end mark has come has given a whole answer.</summary>
    private static async Task<bool> MoveNextAsync(IAsyncEnumerator<System.Text.Json.JsonElement> events, OpenAIAnswer answer)
    {
        try
        {
            return await events.MoveNextAsync();
        }
        catch (FaultException fault) when (fault.Code == FaultCodes.ModelUnavailable && answer.FinishReason is not null)
        {
            return false;
        }
    }

    /// <summary>The server answers as if no stream had been asked for.</summary>
    private static bool IsWhole(PipelineResponse response) =>
        response.Headers.TryGetValue("Content-Type", out var type) && MediaTypeHeaderValue.TryParse(type, out var parsed) && parsed.MediaType == "application/json";

    private ChatResponseUpdate Update(OpenAIAnswer answer, IList<AIContent> contents) =>
        new(ChatRole.Assistant, contents) { ModelId = answer.ModelId ?? _spec.Model, FinishReason = answer.HasEnded ? answer.FinishReason : null };
}
