using System.Text.Json;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs.Definitions;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Tools;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Recording;

/// <summary>Lets every call pass and keeps it with its outcome, failures too. A call that was broken off is not kept: it has no outcome.</summary>
public sealed class Recorder(RecordingWriter writer, Redaction redaction) : IExchangeTap
{
    public IModelProvider Over(IModelProvider provider) =>
        new TapedProvider(provider, provider.Check, spec => new RecordingClient(provider.CreateClient(spec), spec, this));

    public IToolSource Over(IToolSource source) => new TapedToolSource(
        source, redaction, (definition, tool) => new TapedTool(tool, (arguments, context, cancellationToken) => CallAsync(definition, tool, arguments, context, cancellationToken)));

    internal CanonicalRequest Request(ModelSpec spec, IEnumerable<ChatMessage> messages, ChatOptions? options) =>
        CanonicalRequest.Of(ExchangeKinds.Model, redaction.Clean(ModelRequestJson.Of(spec, messages, options)));

    internal Task KeepAsync(CanonicalRequest request, IReadOnlyList<ChatResponseUpdate> answer, RecordedFault? fault, CancellationToken cancellationToken) =>
        KeepAsync(request, ModelAnswerJson.Of(ModelAnswerJson.Gather(answer, redaction), fault), cancellationToken);

    private async ValueTask<ToolResult> CallAsync(
        ToolDefinition definition, Tool tool, JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        var request = CanonicalRequest.Of(ExchangeKinds.Tool, redaction.Clean(ToolExchangeJson.Request(definition, arguments)));
        ToolResult result;
        try
        {
            result = await tool.InvokeAsync(arguments, context, cancellationToken);
        }
        catch (Exception exception) when (exception is not (OperationCanceledException or InterruptSignal))
        {
            // However it failed, it is kept, and the failure goes on its way.
            await KeepAsync(request, ToolExchangeJson.Response(RecordedFault.Of(exception)), cancellationToken);
            throw;
        }
        await KeepAsync(request, ToolExchangeJson.Response(result), cancellationToken);
        return result;
    }

    private Task KeepAsync(CanonicalRequest request, JsonElement response, CancellationToken cancellationToken) =>
        writer.AppendAsync(request, redaction.Clean(response), cancellationToken);
}
