using System.Globalization;
using System.Text.Json;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Sessions;

namespace AgentExecutor.Core.Tools;

/// <summary>
/// Calls a tool that has side effects, using the journal of tool calls:
/// <list type="number">
/// <item>If the journal holds an outcome, that outcome is returned and the tool is not called.</item>
/// <item>If it holds a call without an outcome, the worker died during the call. The call is repeated with the same key, unless every call
/// takes effect: then a person is asked, or the model is informed, depending on the settings.</item>
/// <item>Otherwise the intent is stored, the tool is called, and the outcome is stored with the next commit.</item>
/// </list>
/// </summary>
internal static class JournaledCall
{
    /// <summary>The outcome of a call that waits for an answer of a person.</summary>
    private const string Suspended = "\u0001suspended";

    private const string Retry = "retry";
    private const string Unknown = "unknown";
    private const string Result = "result";

    /// <param name="tool">The tool.</param>
    /// <param name="context">The task and the call.</param>
    /// <param name="invoke">Makes the call. It throws only exceptions that end or suspend the run.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static async ValueTask<ToolResult> CallAsync(
        Tool tool,
        ToolContext context,
        Func<ValueTask<ToolResult>> invoke,
        CancellationToken cancellationToken
    )
    {
        var journal = context.Node.Session.Journal;
        if (await journal.FindAsync(context.Node.TaskId, cancellationToken) is { } earlier && earlier.Outcome?.Content != Suspended)
        {
            if (earlier.Outcome is { } known && !(known.IsError && context.ErrorsFail))
            {
                return new ToolResult(known.Content, known.IsError) { Updates = ToolUpdate.Read(known.Updates) };
            }
            if (tool.Effects == ToolEffects.Once && Decide(earlier, context) is { } decided)
            {
                return decided;
            }
        }
        var call = new StoredToolCall
        {
            TaskId = context.Node.TaskId,
            Namespace = context.Node.Scope.Namespace,
            Tool = tool.Name,
            CallId = context.Call.Id,
            StartedAt = Microseconds(context.Node.Now),
        };
        await journal.BeginAsync(call, cancellationToken);
        ToolResult result;
        try
        {
            result = await invoke();
        }
        catch (InterruptSignal)
        {
            // The tool waits for an answer, so the call has not taken effect and is made again when the answer is there.
            journal.End(call with { Outcome = new StoredOutcome(Suspended, true, context.Node.Now) });
            throw;
        }
        var outcome = new StoredOutcome(result.Content, result.IsError, context.Node.Now) { Updates = ToolUpdate.ToJson(result.Updates) };
        journal.End(call with { Outcome = outcome });
        return result;
    }

    /// <summary>
    /// Truncates the time to the precision that every store keeps, because the key of the question to a person is derived from it.
    /// </summary>
    private static DateTimeOffset Microseconds(DateTimeOffset time) => time.AddTicks(-(time.Ticks % TimeSpan.TicksPerMicrosecond));

    /// <summary>Returns the outcome to use, or null to repeat the call.</summary>
    private static ToolResult? Decide(StoredToolCall earlier, ToolContext context)
    {
        if (context.Node.Session.Services.UnknownOutcome == UnknownOutcome.TellModel)
        {
            return OutcomeUnknown(earlier);
        }
        // The key contains the start of the call: an answer applies to that attempt only, and a second crash asks again.
        var key = $"outcome-{earlier.StartedAt.UtcTicks.ToString("x", CultureInfo.InvariantCulture)}";
        string? note = null;
        for (var round = 0; ; round++)
        {
            var answer = context.Node.Interrupt(Question(earlier, context, note), round == 0 ? key : $"{key}-{round}");
            switch (answer.ValueKind == JsonValueKind.String ? WellFormedText.Of(answer) : answer.TextProperty("decision"))
            {
                case Retry:
                    return null;
                case Unknown:
                    return OutcomeUnknown(earlier);
                case Result when answer.Property("content") is { } content:
                    return new ToolResult(JsonBytes.Display(content));
            }
            note =
                $"the answer {JsonBytes.Compact(answer)} is not one of \"{Retry}\", \"{Unknown}\" and {{\"decision\": \"{Result}\", "
                + "\"content\": ...}}";
        }
    }

    private static ToolResult OutcomeUnknown(StoredToolCall call) =>
        ToolResult.Error(
            $"Error: the outcome of this call of {call.Tool} is unknown: the program stopped while it ran, and it was not repeated. "
                + "Find out whether it took effect before you call it again."
        );

    private static JsonElement Question(StoredToolCall earlier, ToolContext context, string? note) =>
        JsonBytes.Element(
            (earlier, context, note),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("reason"u8, "outcome_unknown"u8);
                writer.WriteString("tool"u8, it.earlier.Tool);
                writer.WritePropertyName("args"u8);
                it.context.Call.Arguments.WriteTo(writer);
                writer.WriteString("started_at"u8, it.earlier.StartedAt);
                writer.WriteStartArray("allowed"u8);
                foreach (var decision in (string[])[Retry, Unknown, Result])
                {
                    writer.WriteStringValue(decision);
                }
                writer.WriteEndArray();
                if (it.note is not null)
                {
                    writer.WriteString("note"u8, it.note);
                }
                writer.WriteEndObject();
            }
        );
}
