using System.Text.Json;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelCalls;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Agents;

/// <summary>Calls an agent's model, and does what the definition says where its budget does not cover the call: fails, asks a person, or calls a cheaper model.</summary>
/// <param name="caller">The agent's own model.</param>
/// <param name="standIn">The cheaper one, where there is one.</param>
internal sealed class BudgetedCaller(ModelCaller caller, ModelCaller? standIn)
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
            catch (BudgetException) when (standIn is not null)
            {
                return await standIn.CallAsync(request with { IsStandIn = true, MayHaveBegun = false }, context.Scope, cancellationToken);
            }
            catch (BudgetException refusal) when (context.Session.Budget.Policy.OnExhausted == BudgetExhaustion.Interrupt)
            {
                RaiseOrStop(refusal, round, context);
                request = request with { MayHaveBegun = false }; // it was said already
            }
        }
    }

    /// <summary>The body runs again from its beginning with each answer, and counts each but once.</summary>
    private static void RaiseOrStop(BudgetException refusal, int round, NodeContext context)
    {
        string? note = null;
        for (var again = 0; ; again++)
        {
            var key = again == 0 ? $"budget-{round}" : $"budget-{round}-{again}";
            var answer = context.Interrupt(Question(refusal, note), key);
            var decision = answer.ValueKind == JsonValueKind.String ? answer.GetString() : answer.TextProperty("decision");
            if (decision == Stop)
            {
                throw refusal;
            }
            if (decision == Raise && KnowsAll(answer) && AmountOf(answer, refusal.Limit) is { } by)
            {
                context.Session.Budget.Raise(new BudgetRaise($"{context.TaskId}:{key}", refusal.Scope, by));
                return;
            }
            note = $$"""the answer {{JsonBytes.Compact(answer)}} is neither "stop", "raise" nor {"decision": "raise", {{Named(refusal.Limit)}}: ...} with a number above 0""";
        }
    }

    /// <summary>A misspelt amount must not be taken for none.</summary>
    private static bool KnowsAll(JsonElement answer) =>
        answer.ValueKind != JsonValueKind.Object || answer.EnumerateObject().All(static it => it.Name is "decision" or "tokens" or "cost_usd");

    private static string Named(BudgetLimit limit) => limit.Cost is not null ? "\"cost_usd\"" : "\"tokens\"";

    /// <summary>As much again as the budget was, where no amount is named.</summary>
    private static Spending? AmountOf(JsonElement answer, BudgetLimit limit)
    {
        var (tokens, cost) = (answer.Property("tokens"), answer.Property("cost_usd"));
        if (tokens is null && cost is null)
        {
            return new Spending(limit.Tokens ?? 0, limit.Cost ?? 0);
        }
        long moreTokens = 0;
        var moreCost = 0m;
        var isRight = (tokens is null || (tokens.Value.ValueKind == JsonValueKind.Number && tokens.Value.TryGetInt64(out moreTokens) && moreTokens is >= 0 and <= 1_000_000_000_000))
            && (cost is null || (cost.Value.ValueKind == JsonValueKind.Number && cost.Value.TryGetDecimal(out moreCost) && moreCost is >= 0 and <= 1_000_000_000))
            && ((moreTokens > 0 && limit.Tokens is not null) || (moreCost > 0 && limit.Cost is not null)); // else it would raise nothing, and the same be asked again
        return isRight ? new Spending(moreTokens, moreCost) : null;
    }

    private static JsonElement Question(BudgetException refusal, string? note) => JsonBytes.Element((refusal, note), static (writer, it) =>
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
    });

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
