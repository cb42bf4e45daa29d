using System.Text.Json;

namespace AgentExecutor.Core.Channels;

/// <summary>The values published in the last superstep, as a list. It is empty after a superstep in which nothing was published.</summary>
public sealed class TopicChannel(string name) : JsonChannel(name)
{
    public const string KindName = "topic";

    public override string Kind => KindName;

    public override bool IsTransient => true;

    public override long ItemsIn(object? value) =>
        value is JsonElement { ValueKind: JsonValueKind.Array } items ? items.GetArrayLength() : 0;

    protected override JsonElement? Fold(JsonElement? value, IReadOnlyList<object> updates)
    {
        var items = new List<JsonElement>();
        foreach (var update in updates)
        {
            var element = (JsonElement)update;
            if (element.ValueKind == JsonValueKind.Array)
            {
                items.AddRange(element.EnumerateArray());
            }
            else
            {
                items.Add(element);
            }
        }
        return JsonArrays.Of(items);
    }
}
