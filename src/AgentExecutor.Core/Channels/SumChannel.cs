using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Channels;

/// <summary>
/// A number to which each update is added. The sum is exact within the range of decimals and uses floating point beyond it.
/// </summary>
public sealed class SumChannel(string name) : JsonChannel(name)
{
    public const string KindName = "sum";

    public override string Kind => KindName;

    public override object ReadValue(JsonElement json) => json.ValueKind == JsonValueKind.Number ? json : throw Invalid(json, "a number");

    public override object ReadUpdate(JsonElement json, string idPrefix) =>
        ReadValue(json) is JsonElement number && double.IsFinite(number.GetDouble()) ? json : throw TooLarge();

    protected override JsonElement? Fold(JsonElement? value, IReadOnlyList<object> updates)
    {
        var exact = 0m;
        var rough = 0d;
        var isExact = true;
        foreach (var term in updates.Prepend(value ?? StoredJson.Parse("0"u8)))
        {
            var number = (JsonElement)term;
            rough += number.GetDouble();
            isExact = isExact && TryAdd(ref exact, number);
        }
        if (!isExact && !double.IsFinite(rough))
        {
            throw TooLarge();
        }
        return isExact
            ? JsonBytes.Element(exact, static (writer, sum) => writer.WriteNumberValue(sum))
            : JsonBytes.Element(rough, static (writer, sum) => writer.WriteNumberValue(sum));
    }

    internal override object? Difference(object? before, object after)
    {
        if (before is not JsonElement old)
        {
            return after;
        }
        var (from, to) = (old.GetDouble(), ((JsonElement)after).GetDouble());
        return old.TryGetDecimal(out var exactFrom) && ((JsonElement)after).TryGetDecimal(out var exactTo)
            ? exactFrom == exactTo
                ? null
                : JsonBytes.Element(exactTo - exactFrom, static (writer, change) => writer.WriteNumberValue(change))
            : JsonBytes.Element(to - from, static (writer, change) => writer.WriteNumberValue(change));
    }

    private FaultException TooLarge() =>
        new(
            FaultCodes.InvalidUpdate,
            $"the channel '{Name}' ({Kind}) accepts numbers up to {double.MaxValue:E1}",
            "write a smaller number, or keep such numbers in another channel"
        );

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
