using System.Net;
using System.Text.Json;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Metrics;

/// <summary>The service exports to a real OpenTelemetry Collector.</summary>
public sealed class OtlpExportTests
{
    private const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    private const string Sender = "00f067aa0ba902b7";
    private const string Prompt = "a prompt that is nobody's business";
    private const string Key = "hush-hush-key";

    [Theory]
    [InlineData("grpc")]
    [InlineData("http/protobuf")]
    public async Task A_job_becomes_one_trace_and_its_counts_become_metrics(string protocol)
    {
        await using var collector = await OtelCollector.StartAsync();
        await using var server = await ApiServer.StartAsync(
            null,
            new Dictionary<string, string>
            {
                ["OTEL_EXPORTER_OTLP_ENDPOINT"] = protocol == "grpc" ? collector.Grpc : collector.Http,
                ["OTEL_EXPORTER_OTLP_PROTOCOL"] = protocol,
                ["OTEL_EXPORTER_OTLP_HEADERS"] = $"x-key={Key}",
                ["OTEL_RESOURCE_ATTRIBUTES"] = "deployment.environment.name=test",
            }
        );

        var job = JobRequests
            .Event("traced", JobRequests.Writer, Prompt)
            .Replace("\"source\":", $"\"traceparent\": \"00-{Trace}-{Sender}-01\", \"source\":", StringComparison.Ordinal);
        var reply = await server.PostAsync("/", job, JobRequests.Structured);
        Assert.True(reply.Status == HttpStatusCode.OK, reply.Body);
        await server.Process.SignalAsync("TERM");
        Assert.Equal(0, (await server.Process.EndAsync()).ExitCode); // The service exports the rest when it shuts down.

        await Wait.UntilAsync(() =>
            collector.Spans().Any(span => Text(span, "name") == "agent.run")
            && collector.MetricNames().Contains("agent_executor_jobs_total")
        );
        var spans = collector.Spans();
        Assert.All(spans, span => Assert.Equal(Trace, Text(span, "traceId")));
        var run = Assert.Single(spans, span => Text(span, "name") == "agent.run");
        var steps = spans.Where(span => Text(span, "name") == "agent.superstep").ToList();
        var chats = spans.Where(span => Text(span, "name") == "chat w").ToList();
        var tool = Assert.Single(spans, span => Text(span, "name") == "execute_tool write_file");
        Assert.Equal(Sender, Text(run, "parentSpanId"));
        Assert.NotEmpty(steps);
        Assert.All(steps, step => Assert.Equal(Text(run, "spanId"), Text(step, "parentSpanId")));
        Assert.Equal(2, chats.Count);
        Assert.All([.. chats, tool], span => Assert.Contains(Text(span, "parentSpanId"), steps.Select(step => Text(step, "spanId"))));
        Assert.Equal(
            ("invoke_agent", "traced", "writer"),
            (Attribute(run, "gen_ai.operation.name"), Attribute(run, "gen_ai.conversation.id"), Attribute(run, "gen_ai.agent.name"))
        );
        Assert.All(
            chats,
            chat =>
                Assert.Equal(
                    ("chat", "scripted", "w"),
                    (
                        Attribute(chat, "gen_ai.operation.name"),
                        Attribute(chat, "gen_ai.provider.name"),
                        Attribute(chat, "gen_ai.request.model")
                    )
                )
        );
        Assert.Equal(("execute_tool", "write_file"), (Attribute(tool, "gen_ai.operation.name"), Attribute(tool, "gen_ai.tool.name")));
        Assert.Contains("agent_executor_checkpoint_commit_seconds", collector.MetricNames());
        var received = collector.Received();
        Assert.Contains("agent-executor", received, StringComparison.Ordinal);
        Assert.Contains("deployment.environment.name", received, StringComparison.Ordinal);
        Assert.DoesNotContain(Prompt, received, StringComparison.Ordinal);
        Assert.DoesNotContain(Key, received, StringComparison.Ordinal);
    }

    private static string? Text(JsonElement json, string property) =>
        json.TryGetProperty(property, out var value) ? value.GetString() : null;

    private static string? Attribute(JsonElement span, string key) =>
        span.GetProperty("attributes")
            .EnumerateArray()
            .Where(it => Text(it, "key") == key)
            .Select(it => Text(it.GetProperty("value"), "stringValue"))
            .SingleOrDefault();
}
