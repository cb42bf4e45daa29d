using System.Collections.Immutable;

namespace AgentExecutor.Core.Channels;

/// <summary>The channels of every agent.</summary>
public static class AgentState
{
    public const string Messages = MessagesChannel.DefaultName;
    public const string Files = FilesChannel.DefaultName;
    public const string Todos = "todos";

    /// <summary>The answer as JSON, for an agent whose answer must match a schema.</summary>
    public const string StructuredResponse = "structured_response";

    /// <summary>
    /// Set for one superstep after the conversation was found to be too long for the model, or was shortened for that reason.
    /// </summary>
    public const string Overflow = "__overflow";

    public static ImmutableArray<Channel> Channels { get; } = [new MessagesChannel(), new FilesChannel(), new LastValueChannel(Todos)];

    public static bool Contains(string channel) => channel is Messages or Files or Todos;
}
