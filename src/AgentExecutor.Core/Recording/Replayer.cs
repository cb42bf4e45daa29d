using System.Text.Json;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Tools;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Recording;

/// <summary>
/// Answers every call from a recording, so that neither keys nor servers are needed. A request that was not recorded fails with a fault
/// that lists the differences and is not retried.
/// </summary>
/// <param name="index">The recorded exchanges.</param>
/// <param name="redaction">The redaction with which the recording was written, so that requests compare without their secrets.</param>
/// <param name="name">The name of the recording in error messages.</param>
public sealed class Replayer(ReplayIndex index, Redaction redaction, string name) : ICallInterceptor
{
    public IModelProvider Intercept(IModelProvider provider) =>
        new InterceptedProvider(provider, _ => [], spec => new ReplayClient(spec, this));

    public IToolSource Intercept(IToolSource source) => new InterceptedToolSource(source, redaction, isCalled: false, Replay);

    private Tool Replay(ToolDefinition definition, Tool tool)
    {
        return tool is IToolGroup
            ? new InterceptedToolGroup(tool, (_, cancellationToken) => List(definition, cancellationToken), Invoke)
            : new InterceptedTool(tool, Invoke);

        ValueTask<ToolResult> Invoke(JsonElement arguments, ToolContext context, CancellationToken cancellationToken) =>
            Call(definition, arguments, cancellationToken);
    }

    private ValueTask<IReadOnlyList<Tool>?> List(ToolDefinition definition, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var request = CanonicalRequest.Of(ExchangeKinds.Tool, redaction.Clean(ToolListJson.Request(definition)));
        var response = (index.Take(request) ?? throw Mismatch(request, $"the list of the tools of '{definition.Name}'")).Response;
        return ValueTask.FromResult(
            ToolListJson.Read(response, (name, arguments, token) => Call(definition with { Name = name }, arguments, token))
        );
    }

    /// <exception cref="FaultException">The request was not recorded (<see cref="FaultCodes.ReplayMismatch"/>).</exception>
    internal JsonElement Answer(ModelSpec spec, IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        var request = CanonicalRequest.Of(ExchangeKinds.Model, redaction.Clean(ModelRequestJson.Of(spec, messages, options)));
        var what = $"the request of the agent '{(options as AgentChatOptions)?.Agent}' to the model {spec}";
        return (index.Take(request) ?? throw Mismatch(request, what)).Response;
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
            ? $"it contains no exchange with a {request.Kind}"
            : $"the nearest one, in line {nearest.Line}, differs in\n"
                + string.Join('\n', RequestDiff.Lines(nearest.Request, request.Element).Select(line => $"  {line}"));
        return new FaultException(
            FaultCodes.ReplayMismatch,
            $"{what} is not in the recording '{name}': {difference}",
            "undo the change, or record the run again: use the same command with --record and a new file instead of --replay"
        );
    }
}
