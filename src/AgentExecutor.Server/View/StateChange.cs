using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Server.View;

/// <summary>What a state update says of messages, todos and files.</summary>
internal sealed record StateChange(IReadOnlyList<Message> Messages, IReadOnlyList<Todo>? Todos, IReadOnlyList<string> Files)
{
    public static StateChange Read(RunEvent.StateUpdated updated)
    {
        var change = new StateChange([], null, []);
        foreach (var (channel, parts) in updated.Channels)
        {
            foreach (var part in parts)
            {
                try
                {
                    change = change.With(channel, JsonElement.Parse(part.Span));
                }
                catch (Exception exception) when (exception is FaultException or InvalidOperationException)
                {
                    // Of another version, or somebody's own channel of this name: what cannot be read is not shown.
                }
            }
        }
        return change;
    }

    private StateChange With(string channel, JsonElement json) => (channel, json.ValueKind) switch
    {
        (AgentState.Messages, _) =>
            this with { Messages = [.. Messages, .. MessageJson.ReadUpdate(json, "shown").Edits.OfType<MessageEdit.Put>().Select(put => put.Message)] },
        (AgentState.Todos, JsonValueKind.Array) =>
            this with { Todos = [.. json.EnumerateArray().Select(item => new Todo(item.TextProperty("content") ?? "", item.TextProperty("status") ?? ""))] },
        (AgentState.Files, JsonValueKind.Object) => this with { Files = [.. Files, .. json.EnumerateObject().Select(file => file.Name)] },
        _ => this,
    };
}

/// <summary>An item of an agent's plan.</summary>
internal sealed record Todo(string Content, string Status)
{
    public char Mark => Status switch { "completed" => 'x', "in_progress" => '>', _ => ' ' };
}
