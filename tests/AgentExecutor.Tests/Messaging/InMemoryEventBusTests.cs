using AgentExecutor.Conformance.Messaging;
using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Tests.Messaging;

public sealed class InMemoryEventBusTests : EventBusContract
{
    protected override ValueTask<IEventBus> MakeAsync() =>
        ValueTask.FromResult<IEventBus>(new InMemoryEventBus(Settings, TimeProvider.System));
}
