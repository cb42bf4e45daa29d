using System.Globalization;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Expressions;

/// <summary>
/// Conversions and operations on the values of expressions: null, bool, double, string, lists of values, and JSON objects.
/// </summary>
internal static class Values
{
    public static object? FromJson(JsonElement json) =>
        json.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            JsonValueKind.Number => json.GetDouble(),
            JsonValueKind.String => WellFormedText.Of(json),
            JsonValueKind.Array => json.EnumerateArray().Select(FromJson).ToArray(),
            JsonValueKind.Object => json,
            _ => null,
        };

    public static JsonElement ToJson(object? value) => value is JsonElement json ? json : JsonBytes.Element(value, Write);

    public static new bool Equals(object? left, object? right) =>
        (left, right) switch
        {
            (double a, double b) => a.Equals(b),
            (IReadOnlyList<object?> a, IReadOnlyList<object?> b) => a.Count == b.Count
                && a.Zip(b).All(pair => Equals(pair.First, pair.Second)),
            (JsonElement a, JsonElement b) => JsonElement.DeepEquals(a, b),
            _ => object.Equals(left, right),
        };

    public static int Compare(object? left, object? right) =>
        (left, right) switch
        {
            (double a, double b) => a.CompareTo(b),
            (string a, string b) => string.CompareOrdinal(a, b),
            _ => throw new ExpressionException($"{Describe(left)} and {Describe(right)} cannot be compared"),
        };

    public static double Number(object? value) =>
        value is double number ? number : throw new ExpressionException($"{Describe(value)} is not a number");

    public static string Text(object? value) =>
        value switch
        {
            string text => text,
            double number => number.ToString("R", CultureInfo.InvariantCulture),
            _ => JsonBytes.Display(ToJson(value)),
        };

    public static string Describe(object? value) =>
        value switch
        {
            null => "null",
            bool flag => flag ? "true" : "false",
            double number => $"the number {number.ToString("R", CultureInfo.InvariantCulture)}",
            string => "a string",
            IReadOnlyList<object?> => "a list",
            _ => "an object",
        };

    private static void Write(Utf8JsonWriter writer, object? value)
    {
        switch (value)
        {
            case null:
                writer.WriteNullValue();
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case double number when number == Math.Truncate(number) && Math.Abs(number) < 1L << 53:
                writer.WriteNumberValue((long)number);
                break;
            case double number when double.IsFinite(number):
                writer.WriteNumberValue(number);
                break;
            case double:
                throw new ExpressionException("the result is a number that is not finite");
            case string text:
                writer.WriteStringValue(text);
                break;
            case JsonElement json:
                json.WriteTo(writer);
                break;
            case IReadOnlyList<object?> items:
                writer.WriteStartArray();
                foreach (var item in items)
                {
                    Write(writer, item);
                }
                writer.WriteEndArray();
                break;
        }
    }
}
