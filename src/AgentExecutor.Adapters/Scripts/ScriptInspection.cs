using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>What running a script has shown about its tool.</summary>
internal sealed record ScriptInspection
{
    /// <summary>What a script in another language than Python shows: it reads its arguments, and says nothing about them.</summary>
    public static readonly ScriptInspection Program = new();

    /// <summary>What the script says about the tool, for the model.</summary>
    public string Description { get; init; } = "";

    /// <summary>The JSON Schema of the arguments; null if the script does not declare them.</summary>
    public JsonElement? Parameters { get; init; }

    /// <summary>The channels that the script reads; null for the whole state.</summary>
    public IReadOnlyList<string>? Channels { get; init; } = [];

    /// <summary>Packages of the definition that are not installed.</summary>
    public IReadOnlyList<string> Missing { get; init; } = [];

    /// <summary>Packages of the definition that are not installed and for which a stand-in is used.</summary>
    public IReadOnlyList<string> Replaced { get; init; } = [];

    /// <summary>What is wrong with the script; null if nothing is.</summary>
    public string? Error { get; init; }

    /// <summary>The line of the script where it is wrong; null if it is unknown.</summary>
    public int? Line { get; init; }

    /// <summary>The package that the script imports and that is not installed, if that is what is wrong.</summary>
    public string? MissingModule { get; init; }

    /// <summary>True if the script needs more of a package than the stand-in for it has, and that is what is wrong.</summary>
    public bool NeedsPackage { get; init; }

    /// <summary>Why the script could not be run here, as message and hint; null if it was run.</summary>
    public (string Message, string Hint)? Unavailable { get; init; }

    /// <summary>The version of Python; empty for other languages.</summary>
    public string Python { get; init; } = "";

    /// <summary>Reads the answer of the runner.</summary>
    public static ScriptInspection Read(JsonElement json) =>
        new()
        {
            Description = json.TextProperty("description") ?? "",
            Parameters = json.Property("parameters"),
            Channels =
                json.TextProperty("form") == "program" ? []
                : json.Property("state") is { } channels ? Texts(channels)
                : null,
            Missing = Texts(json.Property("missing")),
            Replaced = Texts(json.Property("replaced")),
            Error = json.TextProperty("error"),
            Line = json.Property("line") is { ValueKind: JsonValueKind.Number } line ? line.GetInt32() : null,
            MissingModule = json.Property("is_stand_in") is { ValueKind: JsonValueKind.False } ? json.TextProperty("module") : null,
            NeedsPackage = json.Property("is_stand_in") is { ValueKind: JsonValueKind.True },
            Python = json.TextProperty("python") ?? "",
        };

    private static IReadOnlyList<string> Texts(JsonElement? list) =>
        list is { ValueKind: JsonValueKind.Array } items ? [.. items.EnumerateArray().Select(JsonBytes.Display)] : [];
}
