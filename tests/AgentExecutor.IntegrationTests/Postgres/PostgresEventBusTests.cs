using AgentExecutor.Adapters;
using AgentExecutor.Conformance.Messaging;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Postgres;

public sealed class PostgresEventBusTests(PostgresFixture postgres) : EventBusContract
{
    protected override async ValueTask<IEventBus> MakeAsync() =>
        AdapterCatalog.OpenPostgresBus(await postgres.SchemaAsync(), Settings, TimeProvider.System, NullLoggerFactory.Instance);
}
