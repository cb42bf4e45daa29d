using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace AgentExecutor.Core.Definitions;

/// <summary>Finds values by the JSON paths in faults, such as <c>$.nodes[2].config.tools</c>.</summary>
internal static partial class JsonPaths
{
    /// <summary>
    /// Removes a property from its object. An item of an array becomes an empty object instead, so that the other items keep their index.
    /// </summary>
    public static void Blank(JsonNode root, string path)
    {
        JsonNode? owner = root;
        var steps = Step().Matches(path);
        for (var i = 0; i < steps.Count; i++)
        {
            var (name, index) = (steps[i].Groups[1].Value, steps[i].Groups[2].Value);
            var isLast = i == steps.Count - 1;
            if (name.Length > 0 && owner is JsonObject fields)
            {
                owner = fields[name];
                _ = isLast && fields.Remove(name);
            }
            else if (
                owner is JsonArray items
                && int.TryParse(index, CultureInfo.InvariantCulture, out var position)
                && position < items.Count
            )
            {
                owner = items[position];
                if (isLast && owner is not JsonObject)
                {
                    items[position] = new JsonObject();
                }
            }
            else
            {
                return;
            }
        }
    }

    /// <summary>Returns true if <paramref name="path"/> equals <paramref name="above"/> or is below it.</summary>
    public static bool IsWithin(string path, string above) =>
        path.StartsWith(above, StringComparison.Ordinal) && (path.Length == above.Length || path[above.Length] is '.' or '[');

    [GeneratedRegex(@"\.([^.\[]+)|\[(\d+)\]")]
    private static partial Regex Step();
}
