using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// Reads an <c>input_payload</c>. The field <c>messages</c> is used as it is; otherwise the first text field (<c>user_request</c> takes
/// precedence over all others) becomes the user's message. Every other field is written to the channel with its name.
/// </summary>
public static class InputReader
{
    private static readonly string[] TextFields = ["user_request", "input", "prompt", "question", "message", "text", "query"];

    /// <exception cref="FaultException">The input is not an object or lacks the message that an agent needs
    /// (<see cref="FaultCodes.InvalidInput"/>), or a field is not a valid update of its channel
    /// (<see cref="FaultCodes.InvalidUpdate"/>).</exception>
    public static ImmutableArray<KeyValuePair<string, object>> Read(
        JsonElement payload,
        ChannelSet channels,
        string runId,
        bool needsMessage
    )
    {
        if (payload.ValueKind != JsonValueKind.Object)
        {
            throw new FaultException(
                FaultCodes.InvalidInput,
                $"the input is a JSON {payload.ValueKind}, not an object",
                """write {"user_request": "..."}"""
            );
        }
        payload = InputJson.Repaired(payload);
        Check(payload);
        var updates = ImmutableArray.CreateBuilder<KeyValuePair<string, object>>();
        var hasMessageChannel = channels.IndexOf(AgentState.Messages) >= 0;
        var requestField = payload.Property(AgentState.Messages) is null && hasMessageChannel ? RequestField(payload, channels) : null;
        if (requestField is not null)
        {
            var request = Message.Human($"human-{runId}-0", WellFormedText.Of(payload.GetProperty(requestField)));
            updates.Add(KeyValuePair.Create(AgentState.Messages, (object)MessageUpdate.Append(request)));
        }
        else if (needsMessage && payload.Property(AgentState.Messages) is not { ValueKind: JsonValueKind.Array })
        {
            throw new FaultException(
                FaultCodes.InvalidInput,
                "the input has no message",
                """write {"user_request": "..."} or {"messages": [{"role": "user", "content": "..."}]}"""
            );
        }
        var known = channels.With(payload.EnumerateObject().Select(field => field.Name));
        foreach (
            var field in payload.EnumerateObject().Where(field => field.Name != requestField && field.Value.ValueKind != JsonValueKind.Null)
        )
        {
            var channel = known[known.Require(field.Name)];
            updates.Add(KeyValuePair.Create(field.Name, channel.ReadUpdate(field.Value.Clone(), $"human-{runId}")));
        }
        return updates.ToImmutable();
    }

    /// <summary>Checks the depth of the input and the names of its fields, because each field becomes a channel.</summary>
    private static void Check(JsonElement payload)
    {
        if (InputJson.IsTooDeep(payload))
        {
            throw new FaultException(
                FaultCodes.InvalidInput,
                $"the input {InputJson.TooDeep}",
                "use fewer levels of nesting, or pass the value as a string that contains JSON"
            );
        }
        foreach (var field in payload.EnumerateObject())
        {
            if (ChannelNames.FaultOf(field.Name) is { } fault)
            {
                throw new FaultException(
                    FaultCodes.InvalidInput,
                    $"the input's field '{WellFormedText.Start(field.Name, 80)}' {fault}",
                    "give the field another name"
                );
            }
        }
    }

    private static string? RequestField(JsonElement payload, ChannelSet channels) =>
        Array.Find(TextFields, field => payload.TextProperty(field) is { Length: > 0 } && channels.IndexOf(field) < 0)
        ?? payload
            .EnumerateObject()
            .Where(field => field.Value.ValueKind == JsonValueKind.String && channels.IndexOf(field.Name) < 0)
            .Select(field => field.Name)
            .FirstOrDefault();
}
