using System.ClientModel;
using System.ClientModel.Primitives;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;
using OpenAI;
using OpenAI.Chat;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;

namespace AgentExecutor.Adapters.OpenAI;

/// <summary>
/// Calls chat completions through the SDK's protocol methods. The SDK's typed stream accepts only what OpenAI itself sends, but other
/// servers omit roles, invent finish reasons and send reasoning in fields of their own. Requests and answers are therefore written and read
/// here.
/// </summary>
internal sealed class OpenAIChatClient : WireChatClient
{
    private readonly ChatClient _client;
    private readonly OpenAIRequest _request;

    public OpenAIChatClient(
        ModelSpec spec,
        ModelEndpoint endpoint,
        ModelTransport transport,
        ModelFaults faults,
        ServerDemands demands,
        TimeProvider time
    )
        : base(spec, endpoint, transport, faults, demands, time)
    {
        _request = new OpenAIRequest(spec);
        _client = new ChatClient(
            spec.Model,
            new ApiKeyCredential(ModelTransport.NoKey),
            new OpenAIClientOptions
            {
                Endpoint = endpoint.BaseUrl,
                Transport = new HttpClientPipelineTransport(Http),
                RetryPolicy = new ClientRetryPolicy(maxRetries: 0),
                NetworkTimeout = Timeout.InfiniteTimeSpan,
                ClientLoggingOptions = new ClientLoggingOptions { EnableLogging = false },
                EnableDistributedTracing = false,
            }
        );
    }

    protected override Task<OpenedAnswer> AskAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options,
        bool isStream,
        CancellationToken cancellationToken
    )
    {
        var model = ModelOf(options);
        return Demands.AskAsync(
            model,
            async demands =>
            {
                var request = _request.Write(messages, options, isStream, demands);
                var response = await SendAsync(request, isStream, cancellationToken);
                var answer = new OpenAIAnswer(Faults, request.CallIds);
                return await OpenAsync(response, response.ContentStream!, answer, model, cancellationToken);
            },
            (error, known) => _request.DemandIn(error, options, isStream, known)
        );
    }

    private async Task<PipelineResponse> SendAsync(OpenAIRequest.Written request, bool isStream, CancellationToken cancellationToken)
    {
        var options = new RequestOptions { BufferResponse = false, CancellationToken = cancellationToken };
        options.SetHeader("Accept", isStream ? "text/event-stream, application/json" : "application/json");
        var result = await _client.CompleteChatAsync(BinaryContent.Create(BinaryData.FromBytes(request.Body)), options);
        return result.GetRawResponse();
    }
}
