using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Jobs;

/// <summary>A sender of jobs and reader of results beside the service, over the bus.</summary>
public sealed class JobBus(NatsServer server) : IAsyncDisposable
{
    /// <summary>The window in which the bus knows a message again; short, so that a test can wait for its end.</summary>
    public const double DuplicateMinutes = 0.05;

    public IEventBus Bus { get; } = AdapterCatalog.OpenNatsBus(
        server.Settings(), new BusSettings { AckWaitSeconds = 3, DuplicateMinutes = DuplicateMinutes }, isClient: false, TimeProvider.System, NullLoggerFactory.Instance);

    public static string Job(string id, string definition, string input = "go") =>
        $$$"""{"trace_id": "trace-{{{id}}}", "job_id": "{{{id}}}", "agent_definition": {{{definition}}}, "input_payload": {"user_request": "{{{input}}}"}}""";

    /// <summary>Publishes until the bus has stored it; a repetition is dropped by its id.</summary>
    public async Task SendAsync(params string[] bodies)
    {
        var messages = bodies.Select(body => new BusMessage("agent.execute.test", Encoding.UTF8.GetBytes(body)) { Id = $"{body.GetHashCode(StringComparison.Ordinal)}" }).ToImmutableArray();
        while (true)
        {
            try
            {
                await Bus.PublishAsync(messages, Cancel);
                return;
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.BusUnavailable)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Cancel);
            }
        }
    }

    public async Task<List<StoredMessage>> ReadAsync(BusStream stream)
    {
        while (true)
        {
            try
            {
                var read = new List<StoredMessage>();
                for (ImmutableArray<StoredMessage> page; (page = await Bus.ReadAsync(new BusQuery(stream, 1_000, read.Count > 0 ? read[^1].Sequence : 0), Cancel)).Length > 0;)
                {
                    read.AddRange(page);
                }
                return read;
            }
            catch (FaultException fault) when (fault.Code == FaultCodes.BusUnavailable)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Cancel);
            }
        }
    }

    /// <summary>The results so far: job, status, and data.</summary>
    public async Task<List<(string Job, string Status, JsonElement Data)>> ResultsAsync() => [.. (await ReadAsync(BusStream.Results)).Select(message =>
    {
        var result = JsonElement.Parse(message.Body.Span);
        return (result.TextProperty("subject")!, message.Subject["agent.status.".Length..], result.GetProperty("data"));
    })];

    public ValueTask DisposeAsync() => Bus.DisposeAsync();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
}
