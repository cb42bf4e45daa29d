using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Support;

/// <summary>Sends jobs to the service and reads its results over NATS.</summary>
public sealed class JobBus(NatsServer server, double duplicateMinutes = JobBus.DuplicateMinutes) : IAsyncDisposable
{
    /// <summary>The window in which NATS recognises duplicates; short, so that a test can wait for its end.</summary>
    public const double DuplicateMinutes = 0.05;

    public IEventBus Bus { get; } =
        AdapterCatalog.OpenNatsBus(
            server.Settings(),
            new BusSettings { AckWaitSeconds = 3, DuplicateMinutes = duplicateMinutes },
            isClient: false,
            TimeProvider.System,
            NullLoggerFactory.Instance
        );

    public static string Job(string id, string definition, string input = "go") =>
        $$$"""
            {"trace_id": "trace-{{{id}}}", "job_id": "{{{id}}}", "agent_definition": {{{definition}}},
              "input_payload": {"user_request": "{{{input}}}"}}
            """;

    /// <summary>Publishes until NATS has stored the messages, which drops repetitions by their id.</summary>
    public async Task SendAsync(params string[] bodies)
    {
        var messages = bodies
            .Select(body => new BusMessage("agent.execute.test", Encoding.UTF8.GetBytes(body))
            {
                Id = $"{body.GetHashCode(StringComparison.Ordinal)}",
            })
            .ToImmutableArray();
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
                ImmutableArray<StoredMessage> page;
                while ((page = await Bus.ReadAsync(new BusQuery(stream, 1_000, read.Count > 0 ? read[^1].Sequence : 0), Cancel)).Length > 0)
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
    public async Task<List<(string Job, string Status, JsonElement Data)>> ResultsAsync() =>
        [
            .. (await ReadAsync(BusStream.Results)).Select(message =>
            {
                var result = JsonElement.Parse(message.Body.Span);
                return (result.TextProperty("subject")!, message.Subject["agent.status.".Length..], result.GetProperty("data"));
            }),
        ];

    public ValueTask DisposeAsync() => Bus.DisposeAsync();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
}
