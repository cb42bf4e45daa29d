using System.Runtime.CompilerServices;
using System.Text.Json;
using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core;
using AgentExecutor.Core.ModelProviders;
using Anthropic;
using Anthropic.Core;
using Microsoft.Extensions.AI;
using MessageCreateParams = Anthropic.Models.Messages.MessageCreateParams;

namespace AgentExecutor.Adapters.Anthropic;

/// <summary>
/// Messages through the SDK's raw API. Its own <see cref="IChatClient"/> takes a stream that was cut for a whole answer and loses arguments that are no JSON, so
/// requests and answers are written and read here.
/// </summary>
internal sealed class AnthropicChatClient : IChatClient
{
    private static readonly Dictionary<string, JsonElement> Nothing = [];

    private readonly HttpClient _http;
    private readonly AnthropicClient _client;
    private readonly ModelSpec _spec;
    private readonly ModelFaults _faults;
    private readonly AnthropicRequest _request;

    public AnthropicChatClient(ModelSpec spec, ModelEndpoint endpoint, ModelTransport transport, ModelFaults faults)
    {
        (_spec, _faults) = (spec, faults);
        _request = new AnthropicRequest(spec);
        _http = new HttpClient(transport, disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan }; // the pool is the provider's, and outlives its clients
        _client = new AnthropicClient(new ClientOptions
        {
            HttpClient = _http,
            BaseUrl = Root(endpoint.BaseUrl),
            ApiKey = ModelTransport.NoKey, // what is not said here, the SDK reads from the environment
            AuthToken = null,
            MaxRetries = 0,
            Timeout = TimeSpan.FromDays(1), // none at all would be sent as a negative number
        });
    }

    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        var (response, request) = await AskAsync(body => _client.WithRawResponse.Messages.Create(body, cancellationToken), messages, options);
        using var _ = response;
        await using var stream = await response.ReadAsStream(cancellationToken);
        var answer = new AnthropicAnswer(_faults, request);
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
        var (response, request) = await AskAsync(body => _client.WithRawResponse.Messages.CreateStreaming(body, cancellationToken), messages, options);
        using var _ = response;
        await using var stream = await response.ReadAsStream(cancellationToken);
        var answer = new AnthropicAnswer(_faults, request);
        if (response.RawMessage.Content.Headers.ContentType?.MediaType == "application/json")
        {
            yield return Update(answer, answer.TakeWhole(await ServerEvents.ReadWholeAsync(stream, _faults, cancellationToken)));
        }
        else
        {
            await using var events = ServerEvents.ReadAsync(stream, _faults, cancellationToken).GetAsyncEnumerator(cancellationToken);
            while (await MoveNextAsync(events, answer))
            {
                yield return ServerEvents.IsSignOfLife(events.Current) ? SignOfLife.Update : Update(answer, answer.TakeEvent(events.Current));
            }
            yield return Update(answer, answer.End());
        }
        yield return Update(answer, [new UsageContent(answer.Usage)]);
    }

    public object? GetService(Type serviceType, object? serviceKey = null) => serviceKey is null && serviceType.IsInstanceOfType(this) ? this : null;

    public void Dispose()
    {
        _client.Dispose();
        _http.Dispose();
    }

    /// <summary>
    /// Where the API takes the thinking blocks for others than they are, it is asked at once without them: it says of some only in time that they are bound to an account,
    /// and a conversation must not end of it.
    /// </summary>
    private async Task<(T Response, AnthropicRequest.Written Request)> AskAsync<T>(
        Func<MessageCreateParams, Task<T>> send, IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        var request = _request.Write(messages, options);
        try
        {
            return (await send(Params(request.Body)), request);
        }
        catch (ServerRefusal refusal) when (request.HasThinking && refusal.Error.Status == 400 && refusal.Error.Message.Contains("thinking", StringComparison.OrdinalIgnoreCase))
        {
            request = _request.Write(messages, options, withThinking: false);
            return (await send(Params(request.Body)), request);
        }
    }

    /// <summary>A connection that fails when all but the end mark has come has given a whole answer.</summary>
    private static async Task<bool> MoveNextAsync(IAsyncEnumerator<JsonElement> events, AnthropicAnswer answer)
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

    private static MessageCreateParams Params(IReadOnlyDictionary<string, JsonElement> body) => MessageCreateParams.FromRawUnchecked(Nothing, Nothing, body);

    /// <summary>The SDK appends the version.</summary>
    private static string Root(Uri url) => url.AbsoluteUri.TrimEnd('/') is var text && text.EndsWith("/v1", StringComparison.Ordinal) ? text[..^3] : text;

    private ChatResponseUpdate Update(AnthropicAnswer answer, IList<AIContent> contents) =>
        new(ChatRole.Assistant, contents) { ModelId = answer.ModelId ?? _spec.Model, FinishReason = answer.HasEnded ? answer.FinishReason : null };
}
