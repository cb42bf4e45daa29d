using System.Text.Json;
using System.Text.RegularExpressions;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Schemas;

/// <summary>
/// Checks JSON against the subset of JSON Schema that tools and definitions use: type, enum, const, properties, required,
/// additionalProperties, items, anyOf, oneOf, allOf, local $ref, and the limits of numbers, strings and arrays. Keywords outside this
/// subset are ignored.
/// </summary>
public static class JsonSchemaChecker
{
    private const int MaxDepth = 64;
    private const int MaxFaults = 50;

    /// <summary>
    /// Schemas come from definitions, and nested alternatives multiply the work, so a value that needs more steps than this is rejected.
    /// </summary>
    private const int MaxSteps = 200_000;

    /// <summary>Returns all problems, each with the path of the value, such as <c>$.items[2].name</c>.</summary>
    public static IReadOnlyList<SchemaFault> Check(JsonElement value, JsonElement schema)
    {
        var faults = new List<SchemaFault>();
        if (schema.ValueKind == JsonValueKind.Object)
        {
            new Checker(schema, faults, new StepBudget(MaxSteps), MaxFaults).Check(value, schema, "$", 0);
        }
        return faults;
    }

    /// <summary>Checks the schema itself, as far as this class supports it.</summary>
    public static IReadOnlyList<SchemaFault> CheckSchema(JsonElement schema) => Check(schema, SchemaOfSchemas.Json);

    private sealed class StepBudget(int steps)
    {
        private int _left = steps;

        public bool IsSpent => _left < 0;

        public bool Take() => --_left >= 0;
    }

    private sealed class Checker(JsonElement root, List<SchemaFault> faults, StepBudget budget, int maxFaults)
    {
        private int _counted;

        public void Check(JsonElement value, JsonElement schema, string path, int depth)
        {
            if (schema.ValueKind == JsonValueKind.False)
            {
                Add(path, SchemaFaultKind.Unknown, "is not allowed");
            }
            if (schema.ValueKind != JsonValueKind.Object || depth > MaxDepth || _counted >= maxFaults)
            {
                return;
            }
            if (!budget.Take())
            {
                if (_counted == 0)
                {
                    Add(path, SchemaFaultKind.Value, "takes too long to check against its schema");
                }
                return;
            }
            if (schema.TextProperty("$ref") is { } reference)
            {
                Check(value, Resolve(reference), path, depth + 1);
            }
            if (!CheckType(value, schema, path))
            {
                return;
            }
            CheckValue(value, schema, path);
            CheckAlternatives(value, schema, path, depth);
            switch (value.ValueKind)
            {
                case JsonValueKind.Object:
                    CheckObject(value, schema, path, depth);
                    break;
                case JsonValueKind.Array:
                    CheckArray(value, schema, path, depth);
                    break;
                case JsonValueKind.String:
                    CheckText(WellFormedText.Of(value), schema, path);
                    break;
                case JsonValueKind.Number:
                    CheckNumber(value.GetDouble(), schema, path);
                    break;
            }
        }

        private bool CheckType(JsonElement value, JsonElement schema, string path)
        {
            var names = Types(schema);
            if (names.Count == 0 || names.Any(name => IsOf(value, name)))
            {
                return true;
            }
            Add(path, SchemaFaultKind.Type, $"must be {string.Join(" or ", names.Where(name => name != "null"))}, not {NameOf(value)}");
            return false;
        }

        private void CheckValue(JsonElement value, JsonElement schema, string path)
        {
            if (
                schema.Property("enum") is { ValueKind: JsonValueKind.Array } allowed
                && !allowed.EnumerateArray().Any(one => JsonElement.DeepEquals(one, value))
            )
            {
                var values = allowed.EnumerateArray().Where(one => one.ValueKind != JsonValueKind.Null).Select(JsonBytes.Display);
                Add(path, SchemaFaultKind.Value, $"must be one of {string.Join(", ", values)}");
            }
            if (schema.Property("const") is { } constant && !JsonElement.DeepEquals(constant, value))
            {
                Add(path, SchemaFaultKind.Value, $"must be {JsonBytes.Display(constant)}");
            }
        }

        private void CheckAlternatives(JsonElement value, JsonElement schema, string path, int depth)
        {
            foreach (var part in Items(schema, "allOf"))
            {
                Check(value, part, path, depth + 1);
            }
            foreach (var keyword in (string[])["anyOf", "oneOf"])
            {
                var alternatives = Items(schema, keyword);
                if (alternatives.Count > 0 && !alternatives.Any(one => Passes(value, one, depth)))
                {
                    ExplainBest(value, alternatives, path, depth);
                }
            }
        }

        /// <summary>If exactly one of several alternatives has the value's type, its problems are the most helpful ones.</summary>
        private void ExplainBest(JsonElement value, IReadOnlyList<JsonElement> alternatives, string path, int depth)
        {
            var fitting = alternatives.Where(one => Types(one).Any(type => IsOf(value, type))).ToList();
            if (fitting.Count == 1)
            {
                Check(value, fitting[0], path, depth + 1);
            }
            else
            {
                Add(path, SchemaFaultKind.Value, "does not match any of the allowed forms");
            }
        }

        private bool Passes(JsonElement value, JsonElement schema, int depth)
        {
            var tried = new List<SchemaFault>();
            new Checker(root, tried, budget, maxFaults: 1).Check(value, schema, "$", depth + 1);
            return tried.Count == 0 && !budget.IsSpent;
        }

        private void CheckObject(JsonElement value, JsonElement schema, string path, int depth)
        {
            foreach (
                var name in Items(schema, "required").Select(name => name.GetString()!).Where(name => !value.TryGetProperty(name, out _))
            )
            {
                Add(path, SchemaFaultKind.Missing, $"lacks '{name}'");
            }
            var properties = schema.Property("properties");
            foreach (var property in value.EnumerateObject())
            {
                var below = $"{path}.{property.Name}";
                if (properties is { } known && known.TryGetProperty(property.Name, out var inner))
                {
                    Check(property.Value, inner, below, depth + 1);
                }
                else if (schema.TryGetProperty("additionalProperties", out var others))
                {
                    if (others.ValueKind == JsonValueKind.False)
                    {
                        Add(below, SchemaFaultKind.Unknown, "is not allowed", properties);
                        continue;
                    }
                    Check(property.Value, others, below, depth + 1);
                }
            }
        }

        private void CheckArray(JsonElement value, JsonElement schema, string path, int depth)
        {
            var count = value.GetArrayLength();
            CheckBound(path, count, schema, "minItems", "maxItems", "items");
            if (schema.Property("items") is { } items)
            {
                var index = 0;
                foreach (var item in value.EnumerateArray())
                {
                    Check(item, items, $"{path}[{index++}]", depth + 1);
                }
            }
        }

        private void CheckText(string text, JsonElement schema, string path)
        {
            CheckBound(path, text.Length, schema, "minLength", "maxLength", "characters");
            if (schema.TextProperty("pattern") is { } pattern && !Matches(text, pattern))
            {
                Add(path, SchemaFaultKind.Value, $"must match {pattern}");
            }
        }

        private void CheckNumber(double number, JsonElement schema, string path)
        {
            CheckBound(path, number, schema, "minimum", "maximum", null);
            if (Limit(schema, "exclusiveMinimum") is { } above && number <= above)
            {
                Add(path, SchemaFaultKind.Value, $"must be greater than {above}");
            }
            if (Limit(schema, "exclusiveMaximum") is { } below && number >= below)
            {
                Add(path, SchemaFaultKind.Value, $"must be less than {below}");
            }
        }

        private void CheckBound(string path, double actual, JsonElement schema, string least, string most, string? unit)
        {
            if (Limit(schema, least) is { } minimum && actual < minimum)
            {
                Add(path, SchemaFaultKind.Value, unit is null ? $"must be at least {minimum}" : $"must have at least {minimum} {unit}");
            }
            if (Limit(schema, most) is { } maximum && actual > maximum)
            {
                Add(path, SchemaFaultKind.Value, unit is null ? $"must be at most {maximum}" : $"must have at most {maximum} {unit}");
            }
        }

        private JsonElement Resolve(string reference)
        {
            var found = root;
            foreach (var step in reference.TrimStart('#').Split('/', StringSplitOptions.RemoveEmptyEntries))
            {
                var name = step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
                found =
                    found.ValueKind == JsonValueKind.Array && int.TryParse(name, out var index) && index < found.GetArrayLength()
                        ? found[index]
                        : found.Property(name) ?? default;
            }
            return found;
        }

        private void Add(string path, SchemaFaultKind kind, string message, JsonElement? known = null)
        {
            // Unknown properties do not count against the limit of faults, except within an alternative, where the first fault decides.
            _counted += kind == SchemaFaultKind.Unknown && maxFaults > 1 ? 0 : 1;
            faults.Add(new SchemaFault(path, kind, message, known));
        }
    }

    private static IReadOnlyList<JsonElement> Items(JsonElement schema, string name) =>
        schema.Property(name) is { ValueKind: JsonValueKind.Array } list ? [.. list.EnumerateArray()] : [];

    private static IReadOnlyList<string> Types(JsonElement schema) =>
        schema.Property("type") switch
        {
            { ValueKind: JsonValueKind.Array } list => [.. list.EnumerateArray().Select(JsonBytes.Display)],
            { } type => [JsonBytes.Display(type)],
            null => [],
        };

    private static double? Limit(JsonElement schema, string name) =>
        schema.Property(name) is { ValueKind: JsonValueKind.Number } number ? number.GetDouble() : null;

    private static bool Matches(string text, string pattern)
    {
        try
        {
            return Regex.IsMatch(text, pattern, RegexOptions.CultureInvariant, TimeSpan.FromMilliseconds(250));
        }
        catch (Exception exception) when (exception is ArgumentException or RegexMatchTimeoutException)
        {
            return true; // a pattern that cannot be evaluated does not reject anything
        }
    }

    private static bool IsOf(JsonElement value, string type) =>
        type switch
        {
            "integer" => value.ValueKind == JsonValueKind.Number && value.GetDouble() % 1 == 0,
            "number" => value.ValueKind == JsonValueKind.Number,
            "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
            _ => NameOf(value) == type,
        };

    private static string NameOf(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.True or JsonValueKind.False => "boolean",
            _ => value.ValueKind.ToString().ToLowerInvariant(),
        };
}

/// <summary>A violation of the schema.</summary>
/// <param name="Path">The path of the value.</param>
/// <param name="Kind">The kind of violation.</param>
/// <param name="Message">What is wrong, as the end of a sentence that starts with the value.</param>
/// <param name="Known">For an unknown property: the <c>properties</c> of the schema.</param>
public readonly record struct SchemaFault(string Path, SchemaFaultKind Kind, string Message, JsonElement? Known = null);

/// <summary>The kind of violation.</summary>
public enum SchemaFaultKind
{
    Type,
    Value,
    Missing,
    Unknown,
}
