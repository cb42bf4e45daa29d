using System.Collections.Immutable;
using System.Text;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.View;

namespace AgentExecutor.Server.Commands.Watching;

/// <summary>Collects the result of a run from its events.</summary>
internal sealed class WatchedRun(string threadId)
{
    private RunEvent.Ended? _end;
    private string? _answer;
    private RunFailure? _failure;
    private ImmutableArray<InterruptRequest> _interrupts = [];

    /// <summary>The result, or null if the events seen so far do not contain all of it.</summary>
    public RunEnding? Ending =>
        _end is { } end && IsComplete(end.Status)
            ? new RunEnding(threadId, end.Status)
            {
                Usage = end.Usage,
                Answer = _answer ?? "",
                Failure = _failure,
                Interrupts = _interrupts,
            }
            : null;

    public void Apply(EventEnvelope envelope)
    {
        if (_end is not null)
        {
            (_end, _answer, _failure, _interrupts) = (null, null, null, []); // another run has started on the thread
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

    private bool IsComplete(RunStatus status) =>
        status switch
        {
            RunStatus.Completed => _answer is not null,
            RunStatus.Failed => _failure is not null,
            RunStatus.Interrupted => !_interrupts.IsEmpty,
            _ => true,
        };

    /// <summary>The same text as 'run' prints: the last message of an agent, or the state of a workflow without messages.</summary>
    private static string Answer(RunEvent.StateUpdated final) =>
        StateChange.Read(final).Messages is [.., { Type: MessageType.Ai } last]
            ? last.Text
            : string.Join('\n', final.Channels.Where(IsResult).Select(channel => $"{channel.Channel}: {Text(channel)}"));

    private static bool IsResult(ChannelUpdate channel) =>
        channel.Channel is not (AgentState.Messages or AgentState.Files)
        && !channel.Channel.StartsWith(Graph.JoinPrefix, StringComparison.Ordinal);

    private static string Text(ChannelUpdate channel) => Encoding.UTF8.GetString(channel.Json[^1].Span);
}
