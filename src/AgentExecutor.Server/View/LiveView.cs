using System.Diagnostics;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Runs;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace AgentExecutor.Server.View;

/// <summary>Redraws the run in a terminal: a tree of agents with their tool calls, the plan, tokens and time.</summary>
internal sealed class LiveView(LiveDisplayContext display, string title) : IRunView
{
    private static readonly string[] Spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

    private readonly RunPicture _picture = new();
    private readonly RunClock _clock = new();
    private string? _notice;

    public void Show(EventEnvelope envelope)
    {
        _picture.Apply(envelope);
        _clock.Apply(envelope);
    }

    public void Notice(string text) => _notice = text;

    public void Refresh()
    {
        display.UpdateTarget(Draw());
        display.Refresh();
    }

    private Rows Draw()
    {
        var parts = new List<IRenderable> { Agents() };
        if (_picture.Todos.Count > 0)
        {
            parts.Add(new Text(""));
            parts.AddRange(_picture.Todos.Select(todo => new Markup(Line(todo))));
        }
        parts.Add(new Text(""));
        var tokens = $"{_picture.Tokens.Input:N0} tokens in · {_picture.Tokens.Output:N0} out";
        var files = $"{_picture.Files.Count} file{(_picture.Files.Count == 1 ? "" : "s")} written";
        parts.Add(new Markup($"[grey]{_clock.Seconds:0.0} s · {tokens} · {files}[/]"));
        if (_notice is not null && _picture.End is null)
        {
            parts.Add(new Markup($"[yellow]{Markup.Escape(_notice)}[/]"));
        }
        return new Rows(parts);
    }

    private Tree Agents()
    {
        var tree = new Tree(new Markup($"{Mark()} [bold]{Markup.Escape(EventText.Short(title, 80))}[/]")) { Style = Style.Parse("grey") };
        var open = new Stack<(int Depth, IHasTreeNodes Node)>([(-1, tree)]);
        tree.AddNodes(_picture.Steps.Select(step => new Markup($"[grey]{Markup.Escape(step)}[/]")));
        foreach (var agent in _picture.Agents)
        {
            while (open.Peek().Depth >= agent.Depth)
            {
                open.Pop();
            }
            var node = open.Peek().Node.AddNode(new Markup($"[bold cyan]{Markup.Escape(EventText.Short(agent.Name, 64))}[/]"));
            if (agent.Hidden > 0)
            {
                node.AddNode(new Markup($"[grey]{agent.Hidden} earlier call{(agent.Hidden == 1 ? "" : "s")}[/]"));
            }
            node.AddNodes(agent.Calls.Select(call => new Markup(Line(call))));
            if (agent.CurrentText.Length > 0)
            {
                node.AddNode(new Markup($"[italic]{Markup.Escape(EventText.Tail(agent.CurrentText, 100))}[/]"));
            }
            if (agent.RestartReason.Length > 0)
            {
                node.AddNode(new Markup($"[yellow]{Markup.Escape(EventText.Short(agent.RestartReason, 140))}[/]"));
            }
            open.Push((agent.Depth, node));
        }
        return tree;
    }

    private string Mark() =>
        _picture.End?.Status switch
        {
            null => $"[yellow]{Spinner[(int)(Stopwatch.GetTimestamp() / (Stopwatch.Frequency / 10) % Spinner.Length)]}[/]",
            RunStatus.Completed => "[green]●[/]",
            RunStatus.Failed => "[red]●[/]",
            _ => "[yellow]●[/]",
        };

    private static string Line(CallPicture call)
    {
        var text = Markup.Escape(EventText.Short(EventText.Of(call.Call), 90));
        return call.End switch
        {
            null => $"[yellow]…[/] {text}",
            { IsError: true } end => $"[red]✗[/] {text} [red]{Markup.Escape(EventText.Short(end.Content, 60))}[/]",
            { } end => $"[green]✓[/] {text} [grey]{EventText.Duration(end.Duration)}[/]",
        };
    }

    private static string Line(Todo todo) =>
        todo.Status switch
        {
            "completed" => $"[green]☑[/] [grey]{Markup.Escape(EventText.Short(todo.Content, 100))}[/]",
            "in_progress" => $"[yellow]▶[/] [bold]{Markup.Escape(EventText.Short(todo.Content, 100))}[/]",
            _ => $"☐ {Markup.Escape(EventText.Short(todo.Content, 100))}",
        };
}
