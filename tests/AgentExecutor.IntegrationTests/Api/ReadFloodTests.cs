using System.Diagnostics;
using System.Net;
using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Core.Messaging;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace AgentExecutor.IntegrationTests.Api;

/// <summary>While many callers read, jobs are accepted, announced and acknowledged, and the service stays ready.</summary>
[Collection<QuietMachine>]
public sealed class ReadFloodTests
{
    private const int Readers = 400;

    /// <summary>The number of connections that a process opens according to docs/postgres.md, and a few for this test.</summary>
    private const string FewConnections = "max_connections=45";

    private static readonly TimeSpan FloodTime = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task Many_readers_delay_no_result_no_acknowledgement_and_no_probe()
    {
        NatsFixture.SkipWithout();
        PostgresFixture.SkipWithout();
        await using var postgres = await PostgresServer.StartAsync(FewConnections, alwaysOwn: true);
        var settings = PostgresFixture.Settings(postgres) with { MaxPoolSize = new PostgresSettings().MaxPoolSize };
        await AdapterCatalog.MigratePostgresAsync(settings, null, TimeProvider.System, NullLoggerFactory.Instance, Cancel);
        await using var nats = await NatsServer.StartOwnAsync();
        await using var bus = new JobBus(nats);
        await using var server = await ApiServer.StartAsync(settings, new Dictionary<string, string> { ["NATS_URL"] = nats.Url });
        (await server.PostAsync("/", Data("large", 600_000))).AssertStatus(HttpStatusCode.OK);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var flood = Enumerable.Range(0, Readers).Select(reader => ReadAsync(server, reader, stopping.Token)).ToList();
        var probes = ProbeAsync(server, stopping.Token);

        var slowest = TimeSpan.Zero;
        for (var (i, began) = (0, Stopwatch.StartNew()); began.Elapsed < FloodTime; i++)
        {
            var started = Stopwatch.StartNew();
            await bus.SendAsync(Data($"small-{i}", 10));
            await Wait.UntilAsync(async () =>
                (await bus.ReadAsync(BusStream.Results)).Any(message => message.Id.StartsWith($"small-{i}:", StringComparison.Ordinal))
            );
            await Wait.UntilAsync(async () => await ConsumerState.LeftAsync(nats) == 0);
            slowest = started.Elapsed > slowest ? started.Elapsed : slowest;
        }
        await stopping.CancelAsync();

        var statuses = (await Task.WhenAll(flood)).SelectMany(static it => it).ToList();
        var (slowestProbe, notReady) = await probes;
        TestContext.Current.SendDiagnosticMessage(
            $"{statuses.Count} reads; slowest result {slowest}, slowest probe {slowestProbe}, not ready {notReady}"
        );
        Assert.NotEmpty(statuses);
        Assert.All(
            statuses,
            status => Assert.True(status is HttpStatusCode.OK or HttpStatusCode.NoContent or HttpStatusCode.ServiceUnavailable, $"{status}")
        );
        Assert.Equal(0, notReady);
        Assert.True(slowest < Limit, $"a result and its acknowledgement took {slowest}");
        Assert.True(slowestProbe < Limit / 2, $"a probe took {slowestProbe}");
    }

    [Fact]
    public async Task Reads_over_the_limit_are_refused_with_a_time_to_retry()
    {
        await using var server = await ApiServer.StartAsync(
            variables: new Dictionary<string, string>
            {
                ["AGENT_EXECUTOR_HTTP_MAX_READS"] = "1",
                ["AGENT_EXECUTOR_HTTP_MAX_WAITING_READS"] = "1",
            }
        );
        (await server.PostAsync("/", Data("large", 600_000))).AssertStatus(HttpStatusCode.OK);

        var refused = new List<Reply>();
        while (refused.Count == 0)
        {
            var replies = await Task.WhenAll(Enumerable.Range(0, 60).Select(_ => server.StateAsync("large")));
            Assert.Contains(replies, reply => reply.Status == HttpStatusCode.OK);
            refused.AddRange(replies.Where(reply => reply.Status != HttpStatusCode.OK));
        }

        Assert.All(
            refused,
            reply =>
            {
                reply.AssertProblem(HttpStatusCode.ServiceUnavailable, "overloaded");
                Assert.NotNull(reply.Headers.RetryAfter?.Delta);
            }
        );
        (await server.StateAsync("large")).AssertStatus(HttpStatusCode.OK); // Every read releases its slot, however it ended.
    }

    /// <summary>Reads repeatedly in one of four ways.</summary>
    private static async Task<List<HttpStatusCode>> ReadAsync(ApiServer server, int reader, CancellationToken stopping)
    {
        var statuses = new List<HttpStatusCode>();
        try
        {
            while (!stopping.IsCancellationRequested)
            {
                using var request = (reader % 8) switch
                {
                    0 => new HttpRequestMessage(HttpMethod.Get, "/threads/large/history"),
                    1 => new HttpRequestMessage(HttpMethod.Get, "/threads/large/events"),
                    2 => ApiServer.Request("/", System.Text.Encoding.UTF8.GetBytes(Data("large", 600_000)), "application/json"),
                    _ => new HttpRequestMessage(HttpMethod.Get, "/deepagents-runtime/state/large"),
                };
                using var response = await server.Http.SendAsync(request, stopping);
                statuses.Add(response.StatusCode);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The test has ended the reads.
        }
        return statuses;
    }

    private static async Task<(TimeSpan Slowest, int NotReady)> ProbeAsync(ApiServer server, CancellationToken stopping)
    {
        using var http = new HttpClient { BaseAddress = server.Http.BaseAddress };
        var (slowest, notReady) = (TimeSpan.Zero, 0);
        while (!stopping.IsCancellationRequested)
        {
            var started = Stopwatch.StartNew();
            using var response = await http.GetAsync(new Uri("/ready", UriKind.Relative), Cancel);
            slowest = started.Elapsed > slowest ? started.Elapsed : slowest;
            notReady += response.StatusCode == HttpStatusCode.OK ? 0 : 1;
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Cancel);
        }
        return (slowest, notReady);
    }

    private static string Data(string id, int length) =>
        JobRequests.Data(
            id,
            JobRequests
                .Echo.Replace("You said {{input}}.", new string('x', length), StringComparison.Ordinal)
                .Replace("\"text\"", "\"chunk_size\": 100000, \"text\"", StringComparison.Ordinal)
        );

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
}
