using System.Text.Json;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Tools;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.Recording;

/// <summary>Records every call with its outcome, including failures. A cancelled call has no outcome and is not recorded.</summary>
public sealed class Recorder(RecordingWriter writer, Redaction redaction) : ICallInterceptor
{
    public IModelProvider Intercept(IModelProvider provider) =>
        new InterceptedProvider(provider, provider.Check, spec => new RecordingClient(provider.CreateClient(spec), spec, this));

    public IToolSource Intercept(IToolSource source) => new InterceptedToolSource(source, redaction, isCalled: true, Record);

    private Tool Record(ToolDefinition definition, Tool tool)
    {
        return tool is IToolGroup group
            ? new InterceptedToolGroup(
                tool,
                (refresh, cancellationToken) => ListAsync(definition, group, refresh, cancellationToken),
                Invoke
            )
            : new InterceptedTool(tool, Invoke);

        ValueTask<ToolResult> Invoke(JsonElement arguments, ToolContext context, CancellationToken cancellationToken) =>
            CallAsync(definition, tool, arguments, context, cancellationToken);
    }

    /// <summary>Records the tools that a group offers, each time that they are asked for, because they can change.</summary>
    private async ValueTask<IReadOnlyList<Tool>?> ListAsync(
        ToolDefinition definition,
        IToolGroup group,
        bool refresh,
        CancellationToken cancellationToken
    )
    {
        var tools = await group.ListAsync(refresh, cancellationToken);
        var request = CanonicalRequest.Of(ExchangeKinds.Tool, redaction.Clean(ToolListJson.Request(definition)));
        await KeepAsync(request, ToolListJson.Write(tools), cancellationToken);
        return tools is null ? null : [.. tools.Select(tool => Record(definition with { Name = tool.Name }, tool).With(tool.Policy))];
    }

    internal CanonicalRequest Request(ModelSpec spec, IEnumerable<ChatMessage> messages, ChatOptions? options) =>
        CanonicalRequest.Of(ExchangeKinds.Model, redaction.Clean(ModelRequestJson.Of(spec, messages, options)));

    internal Task KeepAsync(
        CanonicalRequest request,
        IReadOnlyList<ChatResponseUpdate> answer,
        RecordedFault? fault,
        CancellationToken cancellationToken
    ) => KeepAsync(request, ModelAnswerJson.Of(ModelAnswerJson.MergeChunks(answer, redaction), fault), cancellationToken);

    private async ValueTask<ToolResult> CallAsync(
        ToolDefinition definition,
        Tool tool,
        JsonElement arguments,
        ToolContext context,
        CancellationToken cancellationToken
    )
    {
        var request = CanonicalRequest.Of(ExchangeKinds.Tool, redaction.Clean(ToolExchangeJson.Request(definition, arguments)));
        ToolResult result;
        try
        {
            result = await tool.InvokeAsync(arguments, context, cancellationToken);
        }
        catch (Exception exception) when (exception is not (OperationCanceledException or InterruptSignal))
        {
            // Every failure is recorded and then rethrown.
            await KeepAsync(request, ToolExchangeJson.Response(RecordedFault.Of(exception)), cancellationToken);
            throw;
        }
        await KeepAsync(request, ToolExchangeJson.Response(result), cancellationToken);
        return result;
    }

    private Task KeepAsync(CanonicalRequest request, JsonElement response, CancellationToken cancellationToken) =>
        writer.AppendAsync(request, redaction.Clean(response), cancellationToken);
}
