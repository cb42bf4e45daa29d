using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Execution.Channels;

/// <summary>A number to which each update is added; exact for decimals, floating point beyond their range.</summary>
public sealed class SumChannel(string name) : JsonChannel(name)
{
    public const string KindName = "sum";

    public override string Kind => KindName;

    public override object ReadValue(JsonElement json) => json.ValueKind == JsonValueKind.Number ? json : throw Invalid(json, "a number");

    protected override JsonElement? Fold(JsonElement? value, IReadOnlyList<object> updates)
    {
        var exact = 0m;
        var rough = 0d;
        var isExact = true;
        foreach (var term in updates.Prepend(value ?? JsonElement.Parse("0"u8)))
        {
            var number = (JsonElement)term;
            rough += number.GetDouble();
            isExact = isExact && TryAdd(ref exact, number);
        }
        return isExact
            ? JsonBytes.Element(exact, static (writer, sum) => writer.WriteNumberValue(sum))
            : JsonBytes.Element(rough, static (writer, sum) => writer.WriteNumberValue(sum));
    }

    private static bool TryAdd(ref decimal sum, JsonElement number)
    {
        if (!number.TryGetDecimal(out var term))
        {
            return false;
        }
        try
        {
            sum += term;
            return true;
        }
        catch (OverflowException)
        {
            return false;
        }
    }
}
