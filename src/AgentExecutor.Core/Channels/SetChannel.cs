using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Channels;

/// <summary>Distinct JSON values in the order of their first occurrence. The items of an array are added one by one.</summary>
public sealed class SetChannel(string name) : JsonChannel(name)
{
    public const string KindName = "set";

    public override string Kind => KindName;

    protected override JsonElement? Fold(JsonElement? value, IReadOnlyList<object> updates)
    {
        var items = new List<JsonElement>();
        var seen = new HashSet<string>();
        foreach (var update in value is { } current ? updates.Prepend(current) : updates)
        {
            var element = (JsonElement)update;
            foreach (var item in element.ValueKind == JsonValueKind.Array ? element.EnumerateArray() : (IEnumerable<JsonElement>)[element])
            {
                if (seen.Add(JsonBytes.Compact(item)))
                {
                    items.Add(item);
                }
            }
        }
        return JsonArrays.Of(items);
    }
}
