using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// Reads an <c>input_payload</c>: <c>messages</c> as they are, or the first text field (<c>user_request</c> before all others) as the
/// user's message; every other field goes to the channel of its name.
/// </summary>
public static class InputReader
{
    private static readonly string[] TextFields = ["user_request", "input", "prompt", "question", "message", "text", "query"];

    /// <exception cref="FaultException">
    /// <see cref="FaultCodes.InvalidInput"/>: it is no object, or an agent gets no message; <see cref="FaultCodes.InvalidUpdate"/>: a field does not
    /// fit its channel.
    /// </exception>
    public static ImmutableArray<KeyValuePair<string, object>> Read(JsonElement payload, ChannelSet channels, string runId, bool needsMessage)
    {
        if (payload.ValueKind != JsonValueKind.Object)
        {
            throw new FaultException(FaultCodes.InvalidInput, $"the input is a JSON {payload.ValueKind}, not an object", """write {"user_request": "..."}""");
        }
        var updates = ImmutableArray.CreateBuilder<KeyValuePair<string, object>>();
        var requestField = payload.Property(AgentState.Messages) is null && channels.IndexOf(AgentState.Messages) >= 0 ? RequestField(payload, channels) : null;
        if (requestField is not null)
        {
            var request = Message.Human($"human-{runId}-0", payload.GetProperty(requestField).GetString()!);
            updates.Add(KeyValuePair.Create(AgentState.Messages, (object)MessageUpdate.Append(request)));
        }
        else if (needsMessage && payload.Property(AgentState.Messages) is not { ValueKind: JsonValueKind.Array })
        {
            throw new FaultException(FaultCodes.InvalidInput, "the input holds no message", """write {"user_request": "..."} or {"messages": [{"role": "user", "content": "..."}]}""");
        }
        var known = channels.With(payload.EnumerateObject().Select(field => field.Name));
        foreach (var field in payload.EnumerateObject().Where(field => field.Name != requestField && field.Value.ValueKind != JsonValueKind.Null))
        {
            var channel = known[known.Require(field.Name)];
            updates.Add(KeyValuePair.Create(field.Name, channel.ReadUpdate(field.Value.Clone(), $"human-{runId}")));
        }
        return updates.ToImmutable();
    }

    private static string? RequestField(JsonElement payload, ChannelSet channels) =>
        Array.Find(TextFields, field => payload.TextProperty(field) is { Length: > 0 } && channels.IndexOf(field) < 0)
        ?? payload.EnumerateObject().Where(field => field.Value.ValueKind == JsonValueKind.String && channels.IndexOf(field.Name) < 0)
            .Select(field => field.Name).FirstOrDefault();
}
