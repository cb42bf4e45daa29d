using System.Diagnostics;

namespace AgentExecutor.Core;

internal static class SpanFailure
{
    /// <summary>
    /// Marks the span as failed. Only the code is recorded, because the message of a fault may contain model output or secrets.
    /// </summary>
    /// <param name="span">The span; null if traces are not collected.</param>
    /// <param name="code">One of <see cref="FaultCodes"/>, or <see cref="Telemetry.ToolError"/>.</param>
    public static void Fail(this Activity? span, string code) => span?.SetTag("error.type", code).SetStatus(ActivityStatusCode.Error, code);
}
