using Microsoft.Extensions.AI;

namespace AgentExecutor.Core.ModelProviders;

/// <summary>
/// Replaces a provider in a plan that is only inspected: it reports no missing settings, and its clients cannot make calls.
/// </summary>
/// <param name="name">The provider's name.</param>
/// <param name="original">The replaced provider; null if no provider has been chosen yet.</param>
internal sealed class PlannedProvider(string name, IModelProvider? original) : IModelProvider
{
    public string Name => name;

    public IEnumerable<ModelFault> Check(ModelSpec spec) => original?.Check(spec).Where(fault => !fault.IsEnvironment) ?? [];

    public ModelAddress AddressOf(ModelSpec spec) => original?.AddressOf(spec) ?? new ModelAddress(name, IsOperators: true);

    public IChatClient CreateClient(ModelSpec spec) => new PlannedClient();

    private sealed class PlannedClient : IChatClient
    {
        public Task<ChatResponse> GetResponseAsync(
            IEnumerable<ChatMessage> messages,
            ChatOptions? options = null,
            CancellationToken cancellationToken = default
        ) => throw new InvalidOperationException("a plan cannot make calls");

        public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages,
            ChatOptions? options = null,
            CancellationToken cancellationToken = default
        ) => throw new InvalidOperationException("a plan cannot make calls");

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
            // There is nothing to dispose.
        }
    }
}
