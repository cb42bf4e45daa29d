using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Core.Budgets;

/// <summary>
/// Prices by <c>provider:model</c>. A name with a date (<c>gpt-4o-2024-08-06</c>, <c>claude-haiku-4-5-20251001</c>, <c>...-latest</c>) has
/// the price of the name without the date, unless it has its own. <c>provider:*</c> is the price of all other models of a provider.
/// </summary>
public sealed partial class PriceTable
{
    private readonly IReadOnlyDictionary<string, ModelPrice> _models;

    private PriceTable(string asOf, IReadOnlyDictionary<string, ModelPrice> models) => (AsOf, _models) = (asOf, models);

    /// <summary>A table without prices.</summary>
    public static PriceTable Empty { get; } = new("", new Dictionary<string, ModelPrice>());

    /// <summary>The list prices that are part of this version.</summary>
    public static PriceTable Shipped { get; } = ReadShipped();

    /// <summary>The day on which the prices were looked up.</summary>
    public string AsOf { get; }

    /// <summary>Returns the price of a model, or null if it is unknown.</summary>
    public ModelPrice? Find(ModelSpec spec) => Find(spec.Provider, spec.Model);

    /// <summary>Returns the price of a model, or null if it is unknown.</summary>
    public ModelPrice? Find(string provider, string model) =>
        _models.GetValueOrDefault($"{provider}:{model}")
        ?? _models.GetValueOrDefault($"{provider}:{Date().Replace(model, "")}")
        ?? _models.GetValueOrDefault($"{provider}:*");

    /// <summary>
    /// Returns the name under which this table lists the model, without its provider. Returns null if the model is not listed, or covered
    /// only by a price for all models of the provider.
    /// </summary>
    public string? NameOf(string provider, string model) =>
        model == "*" ? null
        : _models.ContainsKey($"{provider}:{model}") ? model
        : Date().Replace(model, "") is var plain && _models.ContainsKey($"{provider}:{plain}") ? plain
        : null;

    /// <summary>Returns these prices with those of the JSON added or replaced. The JSON has the format of the shipped table.</summary>
    /// <exception cref="FaultException">The JSON is not a valid price table (<see cref="FaultCodes.InvalidPrices"/>).</exception>
    public PriceTable With(ReadOnlySpan<byte> utf8)
    {
        var more = Read(utf8);
        var models = new Dictionary<string, ModelPrice>(_models, StringComparer.Ordinal);
        foreach (var (name, price) in more._models)
        {
            models[name] = price;
        }
        return new PriceTable(more.AsOf.Length > 0 ? more.AsOf : AsOf, models);
    }

    private static PriceTable Read(ReadOnlySpan<byte> utf8)
    {
        try
        {
            var file = JsonSerializer.Deserialize(utf8, PriceJson.Default.PriceFile) ?? throw new JsonException("it is null");
            foreach (var (name, price) in file.Models)
            {
                Check(name, price);
            }
            return new PriceTable(file.AsOf ?? "", file.Models);
        }
        catch (JsonException exception)
        {
            throw Invalid(
                exception.Path is { Length: > 1 } path
                    ? $"the value at {path} is invalid"
                    : $"the text is not a price table: {exception.Message}"
            );
        }
    }

    private static void Check(string name, ModelPrice? price)
    {
        if (name.IndexOf(':', StringComparison.Ordinal) is <= 0)
        {
            throw Invalid($"'{name}' does not have the form provider:model");
        }
        decimal?[] amounts =
        [
            price?.Input,
            price?.Output,
            price?.CachedInput,
            price?.CacheWrite,
            price?.LongPrompt?.Input,
            price?.LongPrompt?.Output,
        ];
        if (price is null || amounts.Any(it => it < 0))
        {
            throw Invalid($"'{name}' has no price or a negative price");
        }
    }

    private static FaultException Invalid(string what) =>
        new(
            FaultCodes.InvalidPrices,
            $"the prices cannot be read: {what}",
            """write {"models": {"provider:model": {"input": 2, "cached_input": 0.2, "output": 10}}}, """
                + "in US dollars per million tokens; docs/budgets.md describes all fields"
        );

    private static PriceTable ReadShipped()
    {
        using var stream = typeof(PriceTable).Assembly.GetManifestResourceStream("prices.json")!;
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return Read(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }

    [GeneratedRegex("-(latest|[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2})$", RegexOptions.CultureInvariant)]
    private static partial Regex Date();
}

/// <summary>The format of a price table in a file.</summary>
internal sealed record PriceFile
{
    public string? AsOf { get; init; }

    public IReadOnlyList<string>? Sources { get; init; }

    public string? Unit { get; init; }

    public required Dictionary<string, ModelPrice> Models { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true,
    AllowDuplicateProperties = false
)]
[JsonSerializable(typeof(PriceFile))]
internal sealed partial class PriceJson : JsonSerializerContext;
