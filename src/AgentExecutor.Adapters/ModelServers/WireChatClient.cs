using System.Runtime.CompilerServices;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>A chat client that connects with a provider's SDK, but writes the requests and reads the answers itself.</summary>
internal abstract class WireChatClient : IChatClient
{
    private readonly TimeProvider _time;

    protected WireChatClient(
        ModelSpec spec,
        ModelEndpoint endpoint,
        ModelTransport transport,
        ModelFaults faults,
        ServerDemands demands,
        TimeProvider time
    )
    {
        (Spec, Faults, Demands, _time) = (spec, faults, new DemandLoop(demands, endpoint.BaseUrl), time);
        // The provider owns the connection pool, which outlives its clients.
        Http = new HttpClient(transport, disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan };
    }

    protected ModelSpec Spec { get; }

    protected ModelFaults Faults { get; }

    protected DemandLoop Demands { get; }

    protected HttpClient Http { get; }

    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        CancellationToken cancellationToken = default
    )
    {
        await using var answer = await AskAsync(messages, options, isStream: false, cancellationToken);
        return await answer.ReadWholeAsync(cancellationToken);
    }

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default
    )
    {
        await using var answer = await AskAsync(messages, options, isStream: true, cancellationToken);
        await foreach (var update in answer.ReadAsync(cancellationToken))
        {
            yield return update;
        }
    }

    public object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is null && serviceType.IsInstanceOfType(this) ? this : null;

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            Http.Dispose();
        }
    }

    /// <summary>Sends the conversation and returns the answer after its first event has arrived.</summary>
    protected abstract Task<OpenedAnswer> AskAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options,
        bool isStream,
        CancellationToken cancellationToken
    );

    protected string ModelOf(ChatOptions? options) => options?.ModelId ?? Spec.Model;

    /// <inheritdoc cref="OpenedAnswer.OpenAsync"/>
    protected Task<OpenedAnswer> OpenAsync(
        IDisposable response,
        Stream stream,
        WireAnswer answer,
        string model,
        CancellationToken cancellationToken
    ) => OpenedAnswer.OpenAsync(response, stream, answer, model, Faults, _time, cancellationToken);
}
