using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace AgentExecutor.Core.Graphs.Definitions;

/// <summary>Finds values by the JSON paths that faults carry, such as <c>$.nodes[2].config.tools</c>.</summary>
internal static partial class JsonPaths
{
    /// <summary>Takes a property out of its object; an item of a list becomes an empty object, so that the others keep their places.</summary>
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
            else if (owner is JsonArray items && int.TryParse(index, CultureInfo.InvariantCulture, out var place) && place < items.Count)
            {
                owner = items[place];
                if (isLast && owner is not JsonObject)
                {
                    items[place] = new JsonObject();
                }
            }
            else
            {
                return;
            }
        }
    }

    /// <summary>True where <paramref name="path"/> is <paramref name="above"/> or lies below it.</summary>
    public static bool IsWithin(string path, string above) =>
        path.StartsWith(above, StringComparison.Ordinal) && (path.Length == above.Length || path[above.Length] is '.' or '[');

    [GeneratedRegex(@"\.([^.\[]+)|\[(\d+)\]")]
    private static partial Regex Step();
}
