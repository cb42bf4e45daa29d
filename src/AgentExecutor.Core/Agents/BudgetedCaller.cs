using System.Text.Json;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelCalls;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Agents;

/// <summary>
/// Calls an agent's model. If the budget does not cover the call, does what the definition says: fails, asks a person, or calls a cheaper
/// model.
/// </summary>
/// <param name="caller">The caller of the agent's own model.</param>
/// <param name="cheaper">The caller of the cheaper model, if there is one.</param>
internal sealed class BudgetedCaller(ModelCaller caller, ModelCaller? cheaper)
{
    private const string Raise = "raise";
    private const string Stop = "stop";

    public async ValueTask<Message> CallAsync(ModelRequest request, NodeContext context, CancellationToken cancellationToken)
    {
        for (var round = 0; ; round++)
        {
            try
            {
                return await caller.CallAsync(request, context.Scope, cancellationToken);
            }
            catch (BudgetException) when (cheaper is not null)
            {
                return await cheaper.CallAsync(
                    request with
                    {
                        IsCheaperModel = true,
                        MayHaveBegun = false,
                    },
                    context.Scope,
                    cancellationToken
                );
            }
            catch (BudgetException refusal) when (context.Session.Budget.Policy.OnExhausted == BudgetExhaustion.Interrupt)
            {
                RaiseOrStop(refusal, round, context);
                request = request with { MayHaveBegun = false }; // the first attempt has published this already
            }
        }
    }

    /// <summary>
    /// Asks a person and raises the budget. The body runs again from its beginning with each answer, but each answer raises the budget only
    /// once.
    /// </summary>
    private static void RaiseOrStop(BudgetException refusal, int round, NodeContext context)
    {
        string? note = null;
        for (var again = 0; ; again++)
        {
            var key = again == 0 ? $"budget-{round}" : $"budget-{round}-{again}";
            var answer = context.Interrupt(Question(refusal, note), key);
            var decision = answer.ValueKind == JsonValueKind.String ? WellFormedText.Of(answer) : answer.TextProperty("decision");
            if (decision == Stop)
            {
                throw refusal;
            }
            if (decision == Raise && HasOnlyKnownFields(answer) && AmountOf(answer, refusal.Limit) is { } by)
            {
                context.Session.Budget.Raise(new BudgetRaise($"{context.TaskId}:{key}", refusal.Scope, by));
                return;
            }
            note =
                $"the answer {JsonBytes.Compact(answer)} is neither \"stop\", \"raise\" nor "
                + $"{{\"decision\": \"raise\", {Named(refusal.Limit)}: ...}} with a number above 0";
        }
    }

    /// <summary>Returns true if all fields of the answer are known. A misspelt amount must not be mistaken for a missing one.</summary>
    private static bool HasOnlyKnownFields(JsonElement answer) =>
        answer.ValueKind != JsonValueKind.Object
        || answer.EnumerateObject().All(static it => it.Name is "decision" or "tokens" or "cost_usd");

    private static string Named(BudgetLimit limit) => limit.Cost is not null ? "\"cost_usd\"" : "\"tokens\"";

    /// <summary>Returns the amount to add; the amount of the original budget if the answer does not name one.</summary>
    private static Spending? AmountOf(JsonElement answer, BudgetLimit limit)
    {
        var (tokens, cost) = (answer.Property("tokens"), answer.Property("cost_usd"));
        if (tokens is null && cost is null)
        {
            return new Spending(limit.Tokens ?? 0, limit.Cost ?? 0);
        }
        long tokensToAdd = 0;
        var costToAdd = 0m;
        const long MaxTokens = 1_000_000_000_000;
        const decimal MaxCost = 1_000_000_000;
        var hasValidTokens =
            tokens is not { } tokenValue
            || (
                tokenValue.ValueKind == JsonValueKind.Number
                && tokenValue.TryGetInt64(out tokensToAdd)
                && tokensToAdd is >= 0 and <= MaxTokens
            );
        var hasValidCost =
            cost is not { } costValue
            || (costValue.ValueKind == JsonValueKind.Number && costValue.TryGetDecimal(out costToAdd) && costToAdd is >= 0 and <= MaxCost);
        // An amount that does not raise the exhausted limit would only lead to the same question again.
        var raisesLimit = (tokensToAdd > 0 && limit.Tokens is not null) || (costToAdd > 0 && limit.Cost is not null);
        return hasValidTokens && hasValidCost && raisesLimit ? new Spending(tokensToAdd, costToAdd) : null;
    }

    private static JsonElement Question(BudgetException refusal, string? note) =>
        JsonBytes.Element(
            (refusal, note),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("reason"u8, FaultCodes.BudgetExhausted);
                writer.WriteString("message"u8, it.refusal.Message);
                writer.WriteString("scope"u8, it.refusal.Scope.ToString().ToLowerInvariant());
                WriteAmount(writer, "budget"u8, it.refusal.Limit.Tokens, it.refusal.Limit.Cost);
                WriteAmount(writer, "taken"u8, it.refusal.Taken.Tokens, it.refusal.Taken.Cost);
                writer.WriteStartArray("allowed"u8);
                writer.WriteStringValue(Raise);
                writer.WriteStringValue(Stop);
                writer.WriteEndArray();
                if (it.note is not null)
                {
                    writer.WriteString("note"u8, it.note);
                }
                writer.WriteEndObject();
            }
        );

    private static void WriteAmount(Utf8JsonWriter writer, ReadOnlySpan<byte> name, long? tokens, decimal? cost)
    {
        writer.WriteStartObject(name);
        if (tokens is { } count)
        {
            writer.WriteNumber("tokens"u8, count);
        }
        if (cost is { } dollars)
        {
            UsageJson.WriteCost(writer, dollars);
        }
        writer.WriteEndObject();
    }
}
