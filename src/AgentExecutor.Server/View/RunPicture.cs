using AgentExecutor.Core.Events;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Server.View;

/// <summary>The displayed state of a run, which its events update: agents and their activity, the plan, and tokens.</summary>
internal sealed class RunPicture
{
    private const int ShownCalls = 5;
    private const int ShownSteps = 8;

    private readonly Dictionary<string, AgentPicture> _agents = new(StringComparer.Ordinal);

    public IReadOnlyList<Todo> Todos { get; private set; } = [];

    public TokenUsage Tokens { get; private set; }

    /// <summary>The newest supersteps of a workflow.</summary>
    public List<string> Steps { get; } = [];

    /// <summary>How the run ended, or null. The thread may continue with another run.</summary>
    public RunEvent.Ended? End { get; private set; }

    public SortedSet<string> Files { get; } = new(StringComparer.Ordinal);

    /// <summary>The agents, parents before their children.</summary>
    public IEnumerable<AgentPicture> Agents => _agents.Values.OrderBy(agent => agent.Namespace, StringComparer.Ordinal);

    public void Apply(EventEnvelope envelope)
    {
        var ns = envelope.Event.Namespace;
        End = envelope.Event as RunEvent.Ended;
        switch (envelope.Event)
        {
            case RunEvent.LlmStream chunk:
                var speaker = AgentAt(ns, chunk.Agent);
                speaker.CurrentText = speaker.MessageId == chunk.MessageId ? speaker.CurrentText + chunk.Text : chunk.Text;
                speaker.MessageId = chunk.MessageId;
                speaker.RestartReason = "";
                break;
            case RunEvent.LlmSuperseded superseded:
                AgentAt(ns, superseded.Agent).CurrentText = "";
                AgentAt(ns, superseded.Agent).RestartReason = superseded.Reason;
                break;
            case RunEvent.ToolStarted started:
                AgentAt(ns, started.Agent).Start(started.Call);
                break;
            case RunEvent.ToolEnded ended:
                AgentAt(ns, ended.Agent).Finish(ended);
                AgentAt(ns, ended.Agent).HideOldest(ShownCalls);
                break;
            case RunEvent.StateUpdated updated:
                Apply(updated);
                break;
            case RunEvent.Ended end:
                Tokens = end.Usage.Tokens;
                // The answer is printed below the display.
                _agents.Values.ToList().ForEach(it => (it.CurrentText, it.RestartReason) = ("", ""));
                break;
        }
    }

    private void Apply(RunEvent.StateUpdated updated)
    {
        var isRoot = updated.Namespace.Length == 0;
        if (isRoot && EventText.Steps(updated) is { } steps)
        {
            Steps.Add($"step {updated.Step}: {steps}");
            Steps.RemoveRange(0, Math.Max(0, Steps.Count - ShownSteps));
        }
        if (updated.IsFinal || updated.Nodes.IsEmpty)
        {
            return; // the final update repeats earlier ones, and the input is not the work of an agent
        }
        var change = StateChange.Read(updated);
        Todos = isRoot ? change.Todos ?? Todos : Todos;
        Files.UnionWith(change.Files);
        foreach (var message in change.Messages)
        {
            Tokens += message.Usage ?? default;
        }
    }

    private AgentPicture AgentAt(string ns, string name)
    {
        var key = $"{ns}\0{name}";
        return _agents.TryGetValue(key, out var agent) ? agent : _agents[key] = new AgentPicture(ns, name);
    }
}

/// <summary>One agent of a run.</summary>
internal sealed class AgentPicture(string ns, string name)
{
    public string Namespace { get; } = ns;

    public string Name { get; } = name;

    public string CurrentText { get; set; } = "";

    public string MessageId { get; set; } = "";

    /// <summary>Why the answer is restarted, until the new answer begins; otherwise empty.</summary>
    public string RestartReason { get; set; } = "";

    public List<CallPicture> Calls { get; } = [];

    public int Hidden { get; private set; }

    public int Depth => Namespace.Length == 0 ? 0 : Namespace.Count(it => it == '|') + 1;

    /// <summary>If a worker dies during a call, the next worker repeats it.</summary>
    public void Start(ToolCall call)
    {
        Calls.RemoveAll(it => it.End is null && it.Call.Id == call.Id);
        Calls.Add(new CallPicture(call));
    }

    /// <summary>A viewer that joins late may have missed the start of the call.</summary>
    public void Finish(RunEvent.ToolEnded ended)
    {
        var made = Calls.FindLast(it => it.Call.Id == ended.Call.Id);
        if (made is null)
        {
            Calls.Add(made = new CallPicture(ended.Call));
        }
        made.End = ended;
    }

    /// <summary>Keeps the newest finished calls and all running calls.</summary>
    public void HideOldest(int shown)
    {
        while (Calls.Count > shown && Calls.Find(call => call.End is not null) is { } oldest)
        {
            Calls.Remove(oldest);
            Hidden++;
        }
    }
}

/// <summary>One tool call.</summary>
internal sealed class CallPicture(ToolCall call)
{
    public ToolCall Call { get; } = call;

    public RunEvent.ToolEnded? End { get; set; }
}
