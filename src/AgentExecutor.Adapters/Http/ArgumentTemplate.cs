using System.Collections.Immutable;
using System.Text.Json;
using System.Text.RegularExpressions;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.Http;

/// <summary>A text in which <c>{name}</c> stands for the argument with this name. Braces around anything else are text.</summary>
internal sealed partial class ArgumentTemplate
{
    private readonly ImmutableArray<Part> _parts;

    private ArgumentTemplate(ImmutableArray<Part> parts) => _parts = parts;

    /// <summary>The names of the arguments, each once.</summary>
    public IEnumerable<string> Names => _parts.Where(part => part.IsName).Select(part => part.Text).Distinct();

    /// <summary>The name of the argument if the text consists only of it; otherwise null.</summary>
    public string? OnlyName => _parts is [{ IsName: true, Text: var name }] ? name : null;

    public static ArgumentTemplate Parse(string text)
    {
        var parts = ImmutableArray.CreateBuilder<Part>();
        var end = 0;
        foreach (Match match in Placeholder().Matches(text))
        {
            if (match.Index > end)
            {
                parts.Add(new Part(text[end..match.Index], false));
            }
            parts.Add(new Part(match.Groups[1].Value, true));
            end = match.Index + match.Length;
        }
        if (end < text.Length)
        {
            parts.Add(new Part(text[end..], false));
        }
        return new ArgumentTemplate(parts.ToImmutable());
    }

    /// <summary>Returns true if the arguments contain a value other than null for every name.</summary>
    public bool IsFilledBy(JsonElement arguments) => Names.All(name => Find(arguments, name) is not null);

    /// <summary>Replaces the names by the arguments. Missing arguments become the empty text.</summary>
    /// <param name="arguments">The arguments.</param>
    /// <param name="encode">Encodes the text of an argument.</param>
    public string Fill(JsonElement arguments, Func<string, string>? encode = null) =>
        string.Concat(
            _parts.Select(part =>
                !part.IsName ? part.Text
                : Find(arguments, part.Text) is not { } value ? ""
                : encode is null ? TextOf(value)
                : encode(TextOf(value))
            )
        );

    /// <summary>Returns the argument, or null if it is missing or null.</summary>
    public static JsonElement? Find(JsonElement arguments, string name) =>
        arguments.Property(name) is { ValueKind: not JsonValueKind.Null } value ? value : null;

    /// <summary>Returns the argument as text. The items of a list are separated by commas, as in RFC 6570.</summary>
    public static string TextOf(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array
            ? string.Join(',', value.EnumerateArray().Select(JsonBytes.Display))
            : JsonBytes.Display(value);

    [GeneratedRegex("""\{([A-Za-z_][A-Za-z0-9_.\-]*)\}""", RegexOptions.CultureInvariant)]
    private static partial Regex Placeholder();

    private readonly record struct Part(string Text, bool IsName);
}

/// <summary>The arguments of a call cannot be sent. The message is for the model.</summary>
internal sealed class UnsendableArgumentException(string message) : Exception(message);
