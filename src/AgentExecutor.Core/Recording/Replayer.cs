using System.Text.Json;
using AgentExecutor.Core.Graphs.Definitions;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Tools;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Recording;

/// <summary>
/// Answers every call from a recording, and makes none: neither keys nor servers are needed. A request that was not recorded is a fault which tells what of
/// it differs; it is never tried again.
/// </summary>
/// <param name="index">The recorded exchanges.</param>
/// <param name="redaction">As the recording was written, so that requests with secrets compare without them.</param>
/// <param name="name">What faults call the recording.</param>
public sealed class Replayer(ReplayIndex index, Redaction redaction, string name) : IExchangeTap
{
    public IModelProvider Over(IModelProvider provider) => new TapedProvider(provider, _ => [], spec => new ReplayClient(spec, this));

    public IToolSource Over(IToolSource source) => new TapedToolSource(
        source, redaction, (definition, tool) => new TapedTool(tool, (arguments, _, cancellationToken) => Call(definition, arguments, cancellationToken)));

    /// <exception cref="FaultException"><see cref="FaultCodes.ReplayMismatch"/>.</exception>
    internal JsonElement Answer(ModelSpec spec, IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        var request = CanonicalRequest.Of(ExchangeKinds.Model, redaction.Clean(ModelRequestJson.Of(spec, messages, options)));
        return (index.Take(request) ?? throw Mismatch(request, $"the request of the agent '{(options as AgentChatOptions)?.Agent}' to the model {spec}")).Response;
    }

    private ValueTask<ToolResult> Call(ToolDefinition definition, JsonElement arguments, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var request = CanonicalRequest.Of(ExchangeKinds.Tool, redaction.Clean(ToolExchangeJson.Request(definition, arguments)));
        var response = (index.Take(request) ?? throw Mismatch(request, $"the call of the tool '{definition.Name}'")).Response;
        return response.Property("fault") is { } fault
            ? throw RecordedFault.Read(fault).ToException()
            : ValueTask.FromResult(ToolExchangeJson.ReadResponse(response));
    }

    private FaultException Mismatch(CanonicalRequest request, string what)
    {
        var nearest = index.Nearest(request);
        var difference = nearest is null
            ? $"it holds no exchange with a {request.Kind}"
            : $"the nearest, in line {nearest.Line}, differs in\n{string.Join('\n', RequestDiff.Lines(nearest.Request, request.Element).Select(line => $"  {line}"))}";
        return new FaultException(
            FaultCodes.ReplayMismatch, $"{what} is not in the recording '{name}': {difference}",
            "undo the change, or record anew: the same command with --record and another file in the place of --replay");
    }
}
