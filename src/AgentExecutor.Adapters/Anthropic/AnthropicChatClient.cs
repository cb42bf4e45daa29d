using System.Text.Json;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core.ModelProviders;
using Anthropic;
using Anthropic.Core;
using Microsoft.Extensions.AI;
using MessageCreateParams = Anthropic.Models.Messages.MessageCreateParams;

namespace AgentExecutor.Adapters.Anthropic;

/// <summary>
/// Calls the Messages API through the SDK's raw methods. The SDK's own <see cref="IChatClient"/> treats an interrupted stream as a complete
/// answer and drops arguments that are not valid JSON, so requests and answers are written and read here.
/// </summary>
internal sealed class AnthropicChatClient : WireChatClient
{
    private static readonly Dictionary<string, JsonElement> Nothing = [];

    private readonly AnthropicClient _client;
    private readonly AnthropicRequest _request;

    public AnthropicChatClient(
        ModelSpec spec,
        ModelEndpoint endpoint,
        ModelTransport transport,
        ModelFaults faults,
        ServerDemands demands,
        TimeProvider time
    )
        : base(spec, endpoint, transport, faults, demands, time)
    {
        _request = new AnthropicRequest(spec);
        _client = new AnthropicClient(
            new ClientOptions
            {
                HttpClient = Http,
                BaseUrl = Root(endpoint.BaseUrl),
                // The SDK reads options that are not set from the environment.
                ApiKey = ModelTransport.NoKey,
                AuthToken = null,
                MaxRetries = 0,
                // An infinite timeout would be sent as a negative number.
                Timeout = TimeSpan.FromDays(1),
            }
        );
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _client.Dispose();
        }
        base.Dispose(disposing);
    }

    /// <summary>
    /// Asks the model. If the API rejects the thinking blocks, the request is repeated at once without them: some blocks turn out to be
    /// bound to an account only when they are sent, and this must not end the conversation.
    /// </summary>
    protected override async Task<OpenedAnswer> AskAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options,
        bool isStream,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await AskAsync(messages, options, isStream, withThinking: true, cancellationToken);
        }
        catch (ServerRefusal refusal)
            when (refusal.Error.Status == 400
                && refusal.Error.Message.Contains("thinking", StringComparison.OrdinalIgnoreCase)
                && _request.Write(messages, options, ServerDemand.None).HasThinking
            )
        {
            return await AskAsync(messages, options, isStream, withThinking: false, cancellationToken);
        }
    }

    private Task<OpenedAnswer> AskAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options,
        bool isStream,
        bool withThinking,
        CancellationToken cancellationToken
    )
    {
        var model = ModelOf(options);
        return Demands.AskAsync(
            model,
            async demands =>
            {
                var request = _request.Write(messages, options, demands, withThinking);
                var response = await SendAsync(
                    Params(request.Body),
                    isStream && !demands.HasFlag(ServerDemand.NoStream),
                    cancellationToken
                );
                var stream = await response.ReadAsStream(cancellationToken);
                return await OpenAsync(response, stream, new AnthropicAnswer(Faults, request), model, cancellationToken);
            },
            (error, known) => AnthropicRequest.DemandIn(error, options, isStream, known)
        );
    }

    private async Task<HttpResponse> SendAsync(MessageCreateParams body, bool isStream, CancellationToken cancellationToken) =>
        isStream
            ? await _client.WithRawResponse.Messages.CreateStreaming(body, cancellationToken)
            : await _client.WithRawResponse.Messages.Create(body, cancellationToken);

    private static MessageCreateParams Params(IReadOnlyDictionary<string, JsonElement> body) =>
        MessageCreateParams.FromRawUnchecked(Nothing, Nothing, body);

    /// <summary>Removes the version from the URL, because the SDK appends it.</summary>
    private static string Root(Uri url) =>
        url.AbsoluteUri.TrimEnd('/') is var text && text.EndsWith("/v1", StringComparison.Ordinal) ? text[..^3] : text;
}
