using System.Collections.Immutable;
using AgentExecutor.Core.Execution.Channels;

namespace AgentExecutor.Core.Agents;

/// <summary>The channels that every agent has.</summary>
public static class AgentState
{
    public const string Messages = MessagesChannel.DefaultName;
    public const string Files = FilesChannel.DefaultName;
    public const string Todos = "todos";

    /// <summary>Of an agent whose answer must fit a schema: the answer as JSON.</summary>
    public const string StructuredResponse = "structured_response";

    /// <summary>For one superstep: the conversation was too long for the model, or was made shorter because it was.</summary>
    public const string Overflow = "__overflow";

    public static ImmutableArray<Channel> Channels { get; } = [new MessagesChannel(), new FilesChannel(), new LastValueChannel(Todos)];

    public static bool Contains(string channel) => channel is Messages or Files or Todos;
}
