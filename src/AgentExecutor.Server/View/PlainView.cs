using System.Globalization;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Server.View;

/// <summary>Writes one line per notable event, for pipes, logs and simple terminals.</summary>
internal sealed class PlainView(TextWriter writer) : IRunView
{
    private readonly HashSet<string> _started = new(StringComparer.Ordinal);
    private DateTimeOffset? _began;
    private string _todos = "";

    public void Show(EventEnvelope envelope)
    {
        _began ??= envelope.Time;
        switch (envelope.Event)
        {
            case RunEvent.ToolStarted started:
                _started.Add(started.Call.Id);
                Line(envelope, started.Agent, $"-> {EventText.Of(started.Call)}");
                break;
            case RunEvent.ToolProgress { Message: { Length: > 0 } message } progress:
                Line(envelope, progress.Agent, $".. {progress.Call.Name}: {EventText.Short(message, 140)}");
                break;
            case RunEvent.ToolEnded ended:
                var outcome = $"{(ended.IsError ? "FAILED " : "")}({EventText.Duration(ended.Duration)})";
                Line(envelope, ended.Agent, $"<- {ended.Call.Name} {outcome} {EventText.Short(ended.Content, 100)}");
                break;
            case RunEvent.LlmSuperseded superseded:
                Line(envelope, superseded.Agent, $"restarts its answer: {EventText.Short(superseded.Reason, 200)}");
                break;
            case RunEvent.StateUpdated updated:
                ShowState(envelope, updated);
                break;
        }
    }

    public void Notice(string text) => writer.WriteLine(text);

    public void Refresh()
    {
        // lines are written at once
    }

    private void ShowState(EventEnvelope envelope, RunEvent.StateUpdated updated)
    {
        var state = StateChange.Read(updated);
        foreach (
            var message in updated.IsFinal ? [] : state.Messages.Where(message => message is { Type: MessageType.Ai, Text.Length: > 0 })
        )
        {
            Line(envelope, message.Name ?? "agent", EventText.Short(message.Text, 140));
        }
        foreach (
            var message in updated.IsFinal
                ? []
                : state.Messages.Where(message =>
                    message is { Type: MessageType.Tool, IsError: true } && !_started.Contains(message.ToolCallId ?? "")
                )
        )
        {
            Line(envelope, message.Name ?? "tool", EventText.Short(message.Text, 140)); // a rejected call, which was never made
        }
        if (EventText.Steps(updated) is { } steps)
        {
            Line(envelope, $"step {updated.Step}", steps);
        }
        if (state.Todos is { } todos && updated.Namespace.Length == 0)
        {
            var text = EventText.Short(string.Join(" ", todos.Select(todo => $"[{todo.Mark}] {todo.Content}")), 400);
            if (text != _todos)
            {
                _todos = text;
                Line(envelope, "todos", text);
            }
        }
    }

    private void Line(EventEnvelope envelope, string who, string what)
    {
        var depth = envelope.Event.Namespace.Length == 0 ? 0 : envelope.Event.Namespace.Count(it => it == '|') + 1;
        var elapsed = (envelope.Time - _began!.Value).TotalSeconds.ToString("0.00", CultureInfo.InvariantCulture);
        writer.WriteLine($"{elapsed.PadLeft(7)}s {new string(' ', depth * 2)}{who}: {what}");
    }
}
