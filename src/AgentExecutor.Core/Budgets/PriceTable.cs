using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Core.Budgets;

/// <summary>
/// Prices by <c>provider:model</c>. A dated name (<c>gpt-4o-2024-08-06</c>, <c>claude-haiku-4-5-20251001</c>, <c>...-latest</c>) has the price of the plain one
/// unless it has its own; <c>provider:*</c> stands for all other models of a provider.
/// </summary>
public sealed partial class PriceTable
{
    private readonly IReadOnlyDictionary<string, ModelPrice> _models;

    private PriceTable(string asOf, IReadOnlyDictionary<string, ModelPrice> models) => (AsOf, _models) = (asOf, models);

    /// <summary>No prices at all.</summary>
    public static PriceTable Empty { get; } = new("", new Dictionary<string, ModelPrice>());

    /// <summary>The list prices that came with this version.</summary>
    public static PriceTable Shipped { get; } = ReadShipped();

    /// <summary>The day on which the prices were looked up.</summary>
    public string AsOf { get; }

    /// <summary>Null where no price is known.</summary>
    public ModelPrice? Find(ModelSpec spec) => Find(spec.Provider, spec.Model);

    /// <summary>Null where no price is known.</summary>
    public ModelPrice? Find(string provider, string model) =>
        _models.GetValueOrDefault($"{provider}:{model}") ?? _models.GetValueOrDefault($"{provider}:{Date().Replace(model, "")}") ?? _models.GetValueOrDefault($"{provider}:*");

    /// <summary>These prices, with those of the JSON over them. It has the form of the shipped table.</summary>
    /// <exception cref="FaultException"><see cref="FaultCodes.InvalidPrices"/>.</exception>
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
            throw Invalid(exception.Path is { Length: > 1 } path ? $"there is something wrong at {path}" : $"they are no price table: {exception.Message}");
        }
    }

    private static void Check(string name, ModelPrice? price)
    {
        if (name.IndexOf(':', StringComparison.Ordinal) is <= 0)
        {
            throw Invalid($"'{name}' names no model");
        }
        if (price is null || new[] { price.Input, price.Output, price.CachedInput ?? 0, price.CacheWrite ?? 0, price.LongPrompt?.Input ?? 0, price.LongPrompt?.Output ?? 0 }.Any(it => it < 0))
        {
            throw Invalid($"'{name}' has no price, or one below 0");
        }
    }

    private static FaultException Invalid(string what) => new(
        FaultCodes.InvalidPrices, $"the prices cannot be read: {what}",
        """write {"models": {"provider:model": {"input": 2, "cached_input": 0.2, "output": 10}}}, in US dollars per million tokens; docs/budgets.md has all fields""");

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

/// <summary>A price table as a file.</summary>
internal sealed record PriceFile
{
    public string? AsOf { get; init; }

    public IReadOnlyList<string>? Sources { get; init; }

    public string? Unit { get; init; }

    public required Dictionary<string, ModelPrice> Models { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(PriceFile))]
internal sealed partial class PriceJson : JsonSerializerContext;
