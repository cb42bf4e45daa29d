using System.Text.Json;
using System.Text.Json.Nodes;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Compilation;

/// <summary>
/// The channels that a stored definition declares, for reading the state of a thread. Only the state schemas are read, because the
/// definition may refer to models, tools and node types that do not exist here, or be of a newer version. A channel with an unknown reducer
/// is read as plain JSON, which works for every value.
/// </summary>
internal static class DefinitionChannels
{
    public static ChannelSet Of(ReadOnlyMemory<byte> definition)
    {
        var channels = new OrderedDictionary<string, Channel>(StringComparer.Ordinal);
        foreach (var builtIn in AgentState.Channels)
        {
            channels[builtIn.Name] = builtIn;
        }
        foreach (var (name, reducer) in Declared(definition))
        {
            if (!AgentState.Contains(name) && ChannelKinds.Create(reducer, name) is { } channel)
            {
                channels[name] = channel;
            }
        }
        return new ChannelSet([.. channels.Values]);
    }

    private static IEnumerable<(string Name, string Reducer)> Declared(ReadOnlyMemory<byte> definition)
    {
        var root = Parse(definition);
        var nodes = root.Property("nodes") is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray() : [];
        return nodes
            .SelectMany(node => new[] { node, node.Property("config") ?? default })
            .Prepend(root)
            .SelectMany(owner => Declared(owner));
    }

    private static IEnumerable<(string Name, string Reducer)> Declared(JsonElement owner)
    {
        if (owner.Property("state_schema") is not { ValueKind: JsonValueKind.Object } schema)
        {
            yield break;
        }
        var normal = new JsonObject { ["state_schema"] = JsonObject.Create(schema) };
        StateSchemaForm.Normalize(normal);
        foreach (var (name, channel) in normal["state_schema"]!["properties"]!.AsObject())
        {
            var reducer = (channel as JsonObject)?["reducer"] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
            yield return (name, reducer ?? LastValueChannel.KindName);
        }
    }

    private static JsonElement Parse(ReadOnlyMemory<byte> definition)
    {
        var bytes = definition.Span;
        try
        {
            return InputJson.ParseHandwritten(bytes.StartsWith("\uFEFF"u8) ? bytes["\uFEFF"u8.Length..] : bytes);
        }
        catch (JsonException)
        {
            return default; // without a readable definition the state is still read, with the built-in channels only
        }
    }
}
