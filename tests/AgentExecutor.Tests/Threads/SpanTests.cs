using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.InMemory;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Threads;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Threads;

/// <summary>The spans of a run. The texts in the script stand for prompts, answers and secrets: no span may contain them.</summary>
public sealed class SpanTests
{
    private const string Private = "hush-hush";

    [Fact]
    public async Task A_model_call_and_a_tool_call_are_named_after_the_model_and_the_tool()
    {
        var spans = await RunAsync(
            """
            [{"tool_calls": [{"name": "write_file", "args": {"file_path": "/hush-hush", "content": "hush-hush"}}]}, {"text": "hush-hush"}]
            """
        );

        Assert.Equal(
            ["chat spans", "agent.superstep", "execute_tool write_file", "agent.superstep", "chat spans", "agent.superstep", "agent.run"],
            spans.Select(span => span.DisplayName)
        );
        var tool = Assert.Single(spans, span => span.DisplayName == "execute_tool write_file");
        Assert.Equal(("execute_tool", "write_file"), (tool.GetTagItem("gen_ai.operation.name"), tool.GetTagItem("gen_ai.tool.name")));
        Assert.All(spans, span => Assert.Equal(ActivityStatusCode.Unset, span.Status));
        Assert.All(spans, AssertIsPublic);
    }

    [Fact]
    public async Task The_spans_of_a_failed_model_call_and_its_run_have_the_code_but_not_the_message()
    {
        var spans = await RunAsync("""[{"error": {"class": "authentication", "message": "the key hush-hush is invalid"}}]""");

        var failed = spans.Where(span => span.Status == ActivityStatusCode.Error).ToList();
        Assert.Equal(["chat spans", "agent.run"], failed.Select(span => span.DisplayName));
        Assert.All(failed, span => Assert.Equal(FaultCodes.ModelAuthentication, span.StatusDescription));
        Assert.All(failed, span => Assert.Equal(FaultCodes.ModelAuthentication, span.GetTagItem("error.type")));
        Assert.All(spans, AssertIsPublic);
    }

    [Fact]
    public async Task The_span_of_a_failed_tool_call_contains_no_text_of_the_tool()
    {
        var spans = await RunAsync("""[{"tool_calls": [{"name": "read_file", "args": {"file_path": "/hush-hush"}}]}, {"text": "done"}]""");

        var failed = Assert.Single(spans, span => span.Status == ActivityStatusCode.Error);
        Assert.Equal(("execute_tool read_file", "tool_error"), (failed.DisplayName, failed.StatusDescription));
        Assert.Equal("tool_error", failed.GetTagItem("error.type"));
        Assert.All(spans, AssertIsPublic);
    }

    private static void AssertIsPublic(Activity span) =>
        Assert.DoesNotContain(
            [
                span.DisplayName,
                span.StatusDescription,
                .. span.TagObjects.Select(tag => $"{tag.Value}"),
                .. span.Events.Select(it => it.Name),
            ],
            text => text?.Contains(Private, StringComparison.Ordinal) == true
        );

    /// <summary>Runs an agent with this script, and returns the spans of the run in the order in which they ended.</summary>
    private static async Task<List<Activity>> RunAsync(string script)
    {
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == Telemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        using var parent = new Activity("test").Start(); // other tests create spans at the same time

        var store = new InMemoryCheckpointStore();
        var definition = """
            {"nodes": [{"id": "a", "type": "orchestrator",
             "config": {"model": {"provider": "scripted", "model": "spans", "script": SCRIPT}}}]}
            """.Replace("SCRIPT", script, StringComparison.Ordinal);
        var input = Engine.Json($$"""{"user_request": "{{Private}}"}""");
        var agents = new CompiledAgents(new DefinitionEnvironment(TestAgents.Models, new ToolCatalog([]), new RunLimits()));
        await new RunExecutor(new RunServices(store, new KeptEvents(), TimeProvider.System), store, agents).StartAsync(
            new RunRequest("t", "r", Encoding.UTF8.GetBytes(definition), input),
            default
        );
        return [.. spans.Where(span => span.TraceId == parent.TraceId)];
    }
}
