using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>One tool call with the pieces received so far.</summary>
internal sealed class CallPieces(int? index, string? id, string? name)
{
    private readonly StringBuilder _arguments = new();

    public int? Index { get; } = index;

    public string? Id { get; set; } = id;

    public string? Name { get; private set; } = name;

    /// <summary>The arguments that came with the start of the call. Pieces that arrive later replace them.</summary>
    public string? InitialArguments { get; set; }

    public string ArgumentText => _arguments.Length > 0 ? _arguments.ToString() : InitialArguments ?? "";

    /// <summary>True if there is a name or arguments.</summary>
    public bool IsCall => Name is { Length: > 0 } || !string.IsNullOrWhiteSpace(ArgumentText);

    /// <summary>True if the arguments have started and are not complete.</summary>
    public bool IsOpen => _arguments.Length > 0 && !HasCompleteArguments;

    public bool HasCompleteArguments => IsObject(ArgumentText);

    public bool IsComplete => Name is { Length: > 0 } && (string.IsNullOrWhiteSpace(ArgumentText) || IsJson(ArgumentText));

    /// <summary>Adds to the name, which can come in pieces, be repeated, or become longer each time.</summary>
    public void AddName(string? piece)
    {
        if (piece is null || piece == Name || _arguments.Length > 0)
        {
            return;
        }
        Name = Name is null || piece.StartsWith(Name, StringComparison.Ordinal) ? piece : Name + piece;
    }

    /// <summary>Adds a piece of the arguments' text. Some servers send an object instead, or the whole text again at the end.</summary>
    public void Append(JsonElement? arguments)
    {
        if (arguments is not { } given)
        {
            return;
        }
        if (given.ValueKind != JsonValueKind.String)
        {
            InitialArguments = JsonBytes.Display(given);
            return;
        }
        var piece = WellFormedText.WithUnpairedSurrogates(given);
        if (_arguments.Length > 0 && IsObject(piece) && HasCompleteArguments)
        {
            _arguments.Clear();
        }
        _arguments.Append(piece);
    }

    private static bool IsObject(string text) =>
        text.AsSpan().TrimStart() is ['{', ..] && text.AsSpan().TrimEnd() is [.., '}'] && IsJson(text);

    private static bool IsJson(string text)
    {
        try
        {
            _ = InputJson.Parse(text);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
