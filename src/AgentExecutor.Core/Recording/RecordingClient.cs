using System.Runtime.CompilerServices;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Recording;

/// <summary>
/// Forwards an answer while it is streamed. The exchange is written before the end of the stream is forwarded, so that no run continues
/// with an answer that is not recorded.
/// </summary>
internal sealed class RecordingClient(IChatClient inner, ModelSpec spec, Recorder recorder) : IChatClient
{
    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        CancellationToken cancellationToken = default
    ) => await GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default
    )
    {
        var request = recorder.Request(spec, messages, options);
        var updates = new List<ChatResponseUpdate>();
        await using var answer = inner
            .GetStreamingResponseAsync(messages, options, cancellationToken)
            .GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            try
            {
                if (!await answer.MoveNextAsync())
                {
                    break;
                }
            }
            catch (Exception exception) when (exception is not OperationCanceledException) // Every failure is recorded and then rethrown.
            {
                await recorder.KeepAsync(request, updates, RecordedFault.Of(exception), cancellationToken);
                throw;
            }
            if (!KeepAlive.Is(answer.Current))
            {
                updates.Add(answer.Current);
            }
            yield return answer.Current;
        }
        await recorder.KeepAsync(request, updates, null, cancellationToken);
    }

    public object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is null && serviceType.IsInstanceOfType(this) ? this : inner.GetService(serviceType, serviceKey);

    public void Dispose() => inner.Dispose();
}
