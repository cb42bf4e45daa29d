using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelProviders;

/// <summary>An empty update, which shows that the server is still working. It is not the beginning of an answer.</summary>
public static class KeepAlive
{
    public static ChatResponseUpdate Update => new();

    public static bool Is(ChatResponseUpdate update) => update is { Contents.Count: 0, FinishReason: null, ModelId: null, Role: null };
}
