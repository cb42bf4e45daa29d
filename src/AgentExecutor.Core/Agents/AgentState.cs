using System.Collections.Immutable;
using AgentExecutor.Core.Execution.Channels;

namespace AgentExecutor.Core.Agents;

/// <summary>The channels that every agent has.</summary>
public static class AgentState
{
    public const string Messages = MessagesChannel.DefaultName;
    public const string Files = FilesChannel.DefaultName;
    public const string Todos = "todos";

    public static ImmutableArray<Channel> Channels { get; } = [new MessagesChannel(), new FilesChannel(), new LastValueChannel(Todos)];

    public static bool Contains(string channel) => channel is Messages or Files or Todos;
}
