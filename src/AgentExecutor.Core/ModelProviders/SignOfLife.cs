using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelProviders;

/// <summary>An update with nothing in it: the server says that it is still at work. It is no beginning of an answer.</summary>
public static class SignOfLife
{
    public static ChatResponseUpdate Update => new();

    public static bool Is(ChatResponseUpdate update) => update is { Contents.Count: 0, FinishReason: null, ModelId: null, Role: null };
}
