using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Server.View;

/// <summary>The messages, todos and files in a state update.</summary>
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
                    change = change.With(channel, StoredJson.Parse(part.Span));
                }
                catch (Exception exception) when (exception is FaultException or InvalidOperationException)
                {
                    // A channel of another version, or another channel with this name, may not be readable. It is not shown.
                }
            }
        }
        return change;
    }

    private StateChange With(string channel, JsonElement json) =>
        (channel, json.ValueKind) switch
        {
            (AgentState.Messages, _) => this with
            {
                Messages =
                [
                    .. Messages,
                    .. MessageJson.ReadUpdate(json, "shown").Edits.OfType<MessageEdit.Put>().Select(put => put.Message),
                ],
            },
            (AgentState.Todos, JsonValueKind.Array) => this with
            {
                Todos =
                [
                    .. json.EnumerateArray()
                        .Select(item => new Todo(item.TextProperty("content") ?? "", item.TextProperty("status") ?? "")),
                ],
            },
            (AgentState.Files, JsonValueKind.Object) => this with
            {
                Files = [.. Files, .. json.EnumerateObject().Select(file => file.Name)],
            },
            _ => this,
        };
}

/// <summary>An item of the plan of an agent.</summary>
internal sealed record Todo(string Content, string Status)
{
    public char Mark =>
        Status switch
        {
            "completed" => 'x',
            "in_progress" => '>',
            _ => ' ',
        };
}
