using System.Diagnostics;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Core.ModelCalls;

/// <summary>What traces and metrics say of model calls, in the words of OpenTelemetry's conventions for generative AI.</summary>
internal static class ModelSpan
{
    public static Activity? Start(ModelSpec spec, int attempt)
    {
        var span = Telemetry.Source.StartActivity(Telemetry.ModelSpan, ActivityKind.Client);
        span?.SetTag("gen_ai.operation.name", "chat").SetTag("gen_ai.provider.name", spec.Provider).SetTag("gen_ai.request.model", spec.Model)
            .SetTag("gen_ai.request.max_tokens", spec.MaxTokens).SetTag("gen_ai.request.temperature", spec.Temperature)
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

    public static void Fail(Activity? span, FaultException fault) => span?.SetTag("error.type", fault.Code).SetStatus(ActivityStatusCode.Error, fault.Message);

    public static void Count(ModelSpec spec, string outcome) =>
        Telemetry.ModelCalls.Add(1, new("provider", spec.Provider), new("model", spec.Model), new("outcome", outcome));

    public static void CountTokens(ModelSpec spec, TokenUsage usage)
    {
        Telemetry.ModelTokens.Add(usage.Input, new("provider", spec.Provider), new("model", spec.Model), new("direction", "input"));
        Telemetry.ModelTokens.Add(usage.Output, new("provider", spec.Provider), new("model", spec.Model), new("direction", "output"));
    }
}
