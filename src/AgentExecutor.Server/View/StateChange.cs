using System.Text.Json;
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
        var messages = new List<Message>();
        IReadOnlyList<Todo>? todos = null;
        var files = new List<string>();
        foreach (var (channel, parts) in updated.Channels)
        {
            foreach (var json in parts.Select(part => JsonElement.Parse(part.Span)))
            {
                switch (channel)
                {
                    case AgentState.Messages:
                        messages.AddRange(MessageJson.ReadUpdate(json, "shown").Edits.OfType<MessageEdit.Put>().Select(put => put.Message));
                        break;
                    case AgentState.Todos when json.ValueKind == JsonValueKind.Array:
                        todos = [.. json.EnumerateArray().Select(item => new Todo(item.TextProperty("content") ?? "", item.TextProperty("status") ?? ""))];
                        break;
                    case AgentState.Files when json.ValueKind == JsonValueKind.Object:
                        files.AddRange(json.EnumerateObject().Select(file => file.Name));
                        break;
                }
            }
        }
        return new StateChange(messages, todos, files);
    }
}

/// <summary>An item of an agent's plan.</summary>
internal sealed record Todo(string Content, string Status)
{
    public char Mark => Status switch { "completed" => 'x', "in_progress" => '>', _ => ' ' };
}
