using System.Runtime.CompilerServices;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.ModelProviders;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Conformance.Checkpoints;

/// <summary>
/// A model that calls one tool with arbitrary arguments after each user message, and then repeats the result of the tool.
/// </summary>
public sealed class CallingModel(Func<(string Id, string Tool, JsonElement Arguments)> call) : IModelProvider, IChatClient
{
    public string Name => "calling";

    public IEnumerable<ModelFault> Check(ModelSpec spec) => [];

    public IChatClient CreateClient(ModelSpec spec) => this;

    public Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options,
        CancellationToken cancellationToken
    ) => throw new NotSupportedException("the runtime streams");

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        await Task.CompletedTask;
        if (messages.Last() is { Contents: [FunctionResultContent result, ..] })
        {
            yield return new ChatResponseUpdate(ChatRole.Assistant, $"it says: {result.Result}");
            yield break;
        }
        var (id, tool, arguments) = call();
        var byName = new Dictionary<string, object?>();
        foreach (var argument in InputJson.Repaired(arguments).EnumerateObject())
        {
            byName[argument.Name] = argument.Value;
        }
        yield return new ChatResponseUpdate(ChatRole.Assistant, [new FunctionCallContent(id, tool, byName)]);
    }

    public object? GetService(Type serviceType, object? serviceKey) => null;

    public void Dispose()
    {
        // There is nothing to dispose.
    }
}
