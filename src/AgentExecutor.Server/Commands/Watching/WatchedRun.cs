using System.Collections.Immutable;
using System.Text;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Server.View;

namespace AgentExecutor.Server.Commands.Watching;

/// <summary>What the events of a run tell of how it ended.</summary>
internal sealed class WatchedRun(string threadId)
{
    private RunEvent.Ended? _end;
    private string? _answer;
    private RunFailure? _failure;
    private ImmutableArray<InterruptRequest> _interrupts = [];

    /// <summary>Null where the events that were seen do not tell it whole.</summary>
    public RunEnding? Ending => _end is { } end && IsWhole(end.Status)
        ? new RunEnding(threadId, end.Status) { Usage = end.Usage, Answer = _answer ?? "", Failure = _failure, Interrupts = _interrupts }
        : null;

    public void Apply(EventEnvelope envelope)
    {
        if (_end is not null)
        {
            (_end, _answer, _failure, _interrupts) = (null, null, null, []); // the thread went on
        }
        switch (envelope.Event)
        {
            case RunEvent.StateUpdated { IsFinal: true, Namespace: "" } final:
                _answer = Answer(final);
                break;
            case RunEvent.Failed failed:
                _failure = failed.Failure;
                break;
            case RunEvent.Interrupted interrupted:
                _interrupts = interrupted.Interrupts;
                break;
            case RunEvent.Ended end:
                _end = end;
                break;
        }
    }

    private bool IsWhole(RunStatus status) => status switch
    {
        RunStatus.Completed => _answer is not null,
        RunStatus.Failed => _failure is not null,
        RunStatus.Interrupted => !_interrupts.IsEmpty,
        _ => true,
    };

    /// <summary>As 'run' has it: the last message of an agent, or what a workflow without one has in its state.</summary>
    private static string Answer(RunEvent.StateUpdated final) => StateChange.Read(final).Messages is [.., { Type: MessageType.Ai } last]
        ? last.Text
        : string.Join('\n', final.Channels.Where(IsResult).Select(channel => $"{channel.Channel}: {Text(channel)}"));

    private static bool IsResult(ChannelUpdate channel) =>
        channel.Channel is not (AgentState.Messages or AgentState.Files) && !channel.Channel.StartsWith(Graph.JoinPrefix, StringComparison.Ordinal);

    private static string Text(ChannelUpdate channel) => Encoding.UTF8.GetString(channel.Json[^1].Span);
}
