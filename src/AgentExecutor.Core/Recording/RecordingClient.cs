using System.Runtime.CompilerServices;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Recording;

/// <summary>Passes an answer on as it is streamed; the exchange is written before its end is told, so that no run goes on with an answer that is not kept.</summary>
internal sealed class RecordingClient(IChatClient inner, ModelSpec spec, Recorder recorder) : IChatClient
{
    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        await GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var request = recorder.Request(spec, messages, options);
        var updates = new List<ChatResponseUpdate>();
        await using var answer = inner.GetStreamingResponseAsync(messages, options, cancellationToken).GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            try
            {
                if (!await answer.MoveNextAsync())
                {
                    break;
                }
            }
            catch (Exception exception) when (exception is not OperationCanceledException) // however it failed, it is kept, and the failure goes on its way
            {
                await recorder.KeepAsync(request, updates, RecordedFault.Of(exception), cancellationToken);
                throw;
            }
            if (!SignOfLife.Is(answer.Current))
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
