using StackExchange.Redis;

namespace AgentExecutor.Adapters.Redis;

/// <summary>The names of channels and keys. Other systems depend on them.</summary>
internal static class RedisKeys
{
    /// <summary>The field of a stream's entry that holds the event's JSON.</summary>
    public static readonly RedisValue Field = "event";

    public static RedisChannel ChannelOf(string threadId) => RedisChannel.Literal($"langgraph:stream:{threadId}");

    public static RedisKey StreamOf(string threadId) => $"langgraph:events:{threadId}";
}
