using System.Diagnostics;
using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>Describes model calls in traces and metrics, following OpenTelemetry's conventions for generative AI.</summary>
internal static class ModelSpan
{
    public static Activity? Start(ModelSpec spec, int attempt)
    {
        var span = Telemetry.Source.StartActivity(Telemetry.ModelSpan, ActivityKind.Client);
        if (span is null)
        {
            return null;
        }
        span.DisplayName = $"{Telemetry.ModelSpan} {spec.Model}";
        span.SetTag("gen_ai.operation.name", Telemetry.ModelSpan)
            .SetTag("gen_ai.provider.name", spec.Provider)
            .SetTag("gen_ai.request.model", spec.Model)
            .SetTag("gen_ai.request.max_tokens", spec.MaxTokens)
            .SetTag("gen_ai.request.temperature", spec.Temperature)
            .SetTag("agent_executor.attempt", attempt);
        return span;
    }

    public static void Describe(Activity? span, ModelAnswer answer)
    {
        span?.SetTag("gen_ai.response.model", answer.ModelName);
        if (span is not null && answer.FinishReason is { } reason)
        {
            span.SetTag("gen_ai.response.finish_reasons", new[] { reason });
        }
        if (answer.Usage is { } usage)
        {
            span?.SetTag("gen_ai.usage.input_tokens", usage.Input).SetTag("gen_ai.usage.output_tokens", usage.Output);
        }
    }

    public static void Count(ModelSpec spec, PriceTable prices, string outcome) =>
        Telemetry.ModelCalls.Add(1, new("provider", spec.Provider), new("model", NameOf(spec, prices)), new("outcome", outcome));

    public static void CountTokens(ModelSpec spec, PriceTable prices, TokenUsage usage)
    {
        var model = NameOf(spec, prices);
        Telemetry.ModelTokens.Add(usage.Input, new("provider", spec.Provider), new("model", model), new("direction", "input"));
        Telemetry.ModelTokens.Add(usage.Output, new("provider", spec.Provider), new("model", model), new("direction", "output"));
    }

    /// <summary>
    /// A definition can name any model, so metrics only use the names in the price table, which the operator controls, to limit their
    /// number.
    /// </summary>
    private static string NameOf(ModelSpec spec, PriceTable prices) => prices.NameOf(spec.Provider, spec.Model) ?? Telemetry.Other;
}
