using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// A model's answer as it is read from the wire, as a whole or in pieces. Tool calls are returned when all of them are complete. An answer
/// with a finish reason is complete, whether or not its end is marked. An answer with a marked end but no finish reason is complete if it
/// contains text or complete tool calls. Every other answer was cut off.
/// </summary>
internal abstract class WireAnswer(ModelFaults faults, IReadOnlySet<string> usedCallIds)
{
    private readonly TextPieces _text = new();
    private readonly TextPieces _reasoning = new();

    public ChatFinishReason? FinishReason { get; protected set; }

    /// <summary>True after <see cref="End"/> was called.</summary>
    public bool HasEnded { get; private set; }

    public string? ModelId { get; protected set; }

    /// <summary>The usage; null if the server reported no plausible numbers.</summary>
    public abstract UsageDetails? Usage { get; }

    protected ModelFaults Faults => faults;

    /// <summary>True if the complete answer arrived in one piece.</summary>
    protected abstract bool IsWhole { get; }

    protected CallDeltas Calls { get; } = new(usedCallIds);

    /// <summary>The text received so far, as it was sent.</summary>
    protected StringBuilder Text { get; } = new();

    /// <summary>The reasoning received so far, as it was sent.</summary>
    protected StringBuilder Reasoning { get; } = new();

    /// <summary>Returns the contents of an event or of a whole answer.</summary>
    public abstract IList<AIContent> Take(JsonElement json);

    /// <summary>Completes the answer. Returns the rest of the text, and the tool calls.</summary>
    /// <param name="isMarked">True if the server marked the end.</param>
    public IList<AIContent> End(bool isMarked)
    {
        if (FinishReason is null && !isMarked && !IsWhole)
        {
            throw faults.Cut();
        }
        ThrowIfRefused();
        if (FinishReason is null && ((Text.Length == 0 && Calls.IsEmpty) || !Calls.AreComplete))
        {
            throw faults.Cut();
        }
        HasEnded = true;
        var reason = FinishReason ?? ChatFinishReason.Stop;
        FinishReason = !Calls.IsEmpty && reason == ChatFinishReason.Stop ? ChatFinishReason.ToolCalls : reason;
        var contents = new List<AIContent>();
        Add(contents, _text.End(), static text => new TextContent(text));
        Add(contents, _reasoning.End(), static text => new TextReasoningContent(text));
        return [.. contents, .. Calls.Read()];
    }

    /// <summary>Throws if the model refused to answer.</summary>
    /// <exception cref="AgentExecutor.Core.FaultException">The model refused to answer.</exception>
    protected virtual void ThrowIfRefused() { }

    protected void AddText(string? piece, List<AIContent> contents)
    {
        if (piece is { Length: > 0 })
        {
            Text.Append(piece);
            Add(contents, _text.Take(piece), static text => new TextContent(text));
        }
    }

    protected void AddReasoning(string? piece, List<AIContent> contents)
    {
        if (piece is { Length: > 0 })
        {
            Reasoning.Append(piece);
            Add(contents, _reasoning.Take(piece), static text => new TextReasoningContent(text));
        }
    }

    private static void Add(List<AIContent> contents, string text, Func<string, AIContent> content)
    {
        if (text.Length > 0)
        {
            contents.Add(content(text));
        }
    }
}
