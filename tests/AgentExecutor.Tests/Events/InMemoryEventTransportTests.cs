using AgentExecutor.Conformance.Events;
using AgentExecutor.Core.Events;

namespace AgentExecutor.Tests.Events;

public sealed class InMemoryEventTransportTests : EventTransportContract
{
    private readonly InMemoryEventTransport _transport = new();

    protected override ValueTask<IEventTransport> MakeAsync() => ValueTask.FromResult<IEventTransport>(_transport);

    protected override ValueTask<IEventTransport> JoinAsync() => ValueTask.FromResult<IEventTransport>(_transport.Join());

    protected override Task SetConnectedAsync(bool isConnected)
    {
        _transport.SetConnected(isConnected);
        return Task.CompletedTask;
    }
}
