using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Recording;

/// <summary>Streams a recorded answer chunk by chunk, without delays. A recorded failure is thrown again.</summary>
internal sealed class ReplayClient(ModelSpec spec, Replayer replayer) : IChatClient
{
    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        CancellationToken cancellationToken = default
    ) => await GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        CancellationToken cancellationToken = default
    ) => Answer(messages, options, cancellationToken).ToAsyncEnumerable();

    public object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is null && serviceType.IsInstanceOfType(this) ? this : null;

    public void Dispose()
    {
        // There is nothing to dispose.
    }

    private IEnumerable<ChatResponseUpdate> Answer(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options,
        CancellationToken cancellationToken
    )
    {
        var answer = replayer.Answer(spec, messages, options);
        foreach (var update in ModelAnswerJson.Read(answer))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return update;
        }
        if (answer.Property("fault") is { } fault)
        {
            throw RecordedFault.Read(fault).ToException();
        }
    }
}
