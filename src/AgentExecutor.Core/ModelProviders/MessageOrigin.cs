using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelProviders;

/// <summary>
/// Records which provider's model produced an answer in a conversation. A provider receives what its own servers produced, such as ids of
/// tool calls, unchanged.
/// </summary>
public static class MessageOrigin
{
    private const string Property = "agent_executor.provider";

    /// <summary>Records the provider of the message. It is not sent to model servers.</summary>
    public static ChatMessage AnsweredBy(this ChatMessage message, string? provider)
    {
        if (provider is { Length: > 0 })
        {
            (message.AdditionalProperties ??= [])[Property] = provider;
        }
        return message;
    }

    public static bool IsAnswerOf(this ChatMessage message, string provider) =>
        message.AdditionalProperties is { } properties && properties.TryGetValue(Property, out string? of) && of == provider;
}
