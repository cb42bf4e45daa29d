using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Tools;

/// <summary>The time limit, retries, concurrency limit and rate limit of tools.</summary>
public sealed class ToolPolicyTests
{
    private static readonly RetryPolicy AtOnce = new(3, TimeSpan.Zero, TimeSpan.FromSeconds(1));

    [Theory]
    [InlineData(ToolEffects.None, true, 3)]
    [InlineData(ToolEffects.Idempotent, true, 3)]
    [InlineData(ToolEffects.Idempotent, false, 1)]
    [InlineData(ToolEffects.Once, true, 1)]
    public async Task A_transient_failure_is_repeated_unless_every_call_takes_effect(ToolEffects effects, bool isTransient, int calls)
    {
        var tool = new PolicedTool(effects, (_, _) => Failure(isTransient)) { Policy = new ToolPolicy { Retry = AtOnce } };

        var outcome = await RunAsync(tool, 1);

        Assert.Equal(calls, tool.Keys.Count);
        Assert.Single(tool.Keys.Distinct());
        Assert.Equal("Error: try later", Assert.Single(Results(outcome)));
    }

    [Fact]
    public async Task A_call_that_takes_too_long_is_an_error()
    {
        var tool = new PolicedTool(
            ToolEffects.Once,
            async (_, cancel) =>
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancel);
                return "never";
            }
        )
        {
            Policy = new ToolPolicy { Timeout = TimeSpan.FromMilliseconds(50) },
        };

        var result = Assert.Single(Results(await RunAsync(tool, 1)));

        Assert.Contains("did not finish within 0.05 s. It is unknown whether the call took effect", result, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Concurrent_calls_are_limited()
    {
        var (running, most) = (0, 0);
        var tool = new PolicedTool(
            ToolEffects.None,
            async (_, cancel) =>
            {
                most = Math.Max(most, Interlocked.Increment(ref running));
                await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, cancel);
                Interlocked.Decrement(ref running);
                return "ok";
            }
        )
        {
            Policy = new ToolPolicy { Gate = new ToolGate(2, null, TimeProvider.System) },
        };

        var outcome = await RunAsync(tool, 8);

        Assert.Equal(8, Results(outcome).Count);
        Assert.InRange(most, 1, 2);
    }

    [Fact]
    public async Task A_call_that_waits_for_the_rate_limit_ends_when_the_run_is_stopped()
    {
        using var stopping = new CancellationTokenSource();
        var waits = new TaskCompletionSource();
        var activity = new RunActivity(isWaiting =>
        {
            if (isWaiting)
            {
                waits.TrySetResult();
            }
        });
        var tool = new PolicedTool(ToolEffects.Once, (_, _) => ValueTask.FromResult<ToolResult>("ok"))
        {
            Policy = new ToolPolicy { Gate = new ToolGate(null, 1, TimeProvider.System) },
        };
        var engine = new Engine();
        using var session = engine.Session("t", activity, stopping.Token);
        var run = Engine.RunAsync(GraphOf(tool, 2), session, Input());

        await waits.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        await stopping.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        Assert.Single(tool.Keys);
    }

    [Fact]
    public void The_catalog_reads_the_policy_and_the_effects_of_a_definition()
    {
        var source = new Source();
        var once = new ToolCatalog([source], new ToolSettings { DefaultEffects = UnstatedEffects.Once });
        var catalog = new ToolCatalog([source]);
        var definition = new ToolDefinition
        {
            Name = "x",
            TimeoutSeconds = 3,
            Retry = new RetryDefinition { MaxAttempts = 2 },
            MaxConcurrent = 1,
            Runtime = new() { Type = "test" },
        };

        var tool = catalog.Create(definition);

        Assert.Equal(TimeSpan.FromSeconds(3), tool.Policy.Timeout);
        Assert.Equal(2, tool.Policy.Retry.MaxAttempts);
        Assert.Same(tool.Policy.Gate, catalog.Create(definition with { }).Policy.Gate);
        Assert.NotSame(tool.Policy.Gate, catalog.Create(definition with { MaxConcurrent = 2 }).Policy.Gate);
        Assert.Null(catalog.Create(definition with { MaxConcurrent = null }).Policy.Gate);
        Assert.Equal(ToolEffects.Idempotent, tool.Effects);
        Assert.Equal(ToolEffects.Once, once.Create(definition).Effects);
        Assert.Equal(ToolEffects.None, once.Create(definition with { Effects = "none" }).Effects);
        Assert.Equal(ToolEffects.None, once.Create(definition with { Description = "reads" }).Effects);
    }

    private static ValueTask<ToolResult> Failure(bool isTransient) =>
        ValueTask.FromResult(ToolResult.Error("Error: try later") with { IsTransient = isTransient });

    private static Task<GraphOutcome> RunAsync(Tool tool, int calls) => new Engine().RunAsync(GraphOf(tool, calls), Message0());

    private static GraphInput Input() => new GraphInput.Begin([KeyValuePair.Create(Message0().Channel, Message0().Update)]);

    private static (string Channel, object Update) Message0() => (AgentState.Messages, MessageUpdate.Append(Message.Human("h", "go")));

    private static Graph GraphOf(Tool tool, int calls)
    {
        var list = string.Join(", ", Enumerable.Repeat("""{"name": "act", "args": {}}""", calls));
        var spec = TestAgents.Scripted("a", """[{"tool_calls": [""" + list + """]}, {"text": "done"}]""") with { Tools = [tool] };
        return AgentGraph.Build(spec, TestAgents.Models, []);
    }

    private static List<string> Results(GraphOutcome outcome) =>
        [.. outcome.State.Get<MessageLog>(AgentState.Messages)!.Where(it => it.Type == MessageType.Tool).Select(it => it.Text)];

    private sealed class PolicedTool(ToolEffects effects, Func<ToolContext, CancellationToken, ValueTask<ToolResult>> act) : Tool
    {
        private readonly Lock _gate = new();

        public List<string> Keys { get; } = [];

        public override string Name => "act";

        public override string Description => "Acts.";

        public override JsonElement Parameters { get; } = JsonElement.Parse("""{"type": "object"}""");

        public override ToolEffects Effects => effects;

        public override ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
        {
            lock (_gate)
            {
                Keys.Add(context.IdempotencyKey);
            }
            return act(context, cancellationToken);
        }
    }

    private sealed class Source : IToolSource
    {
        public string RuntimeType => "test";

        public IEnumerable<ToolFault> Check(ToolDefinition definition) => [];

        public string? EffectsOf(ToolDefinition definition) => definition.Description == "reads" ? "none" : null;

        public Tool Create(ToolDefinition definition) =>
            new PolicedTool(
                definition.Effects switch
                {
                    "none" => ToolEffects.None,
                    "once" => ToolEffects.Once,
                    _ => ToolEffects.Idempotent,
                },
                (_, _) => ValueTask.FromResult<ToolResult>("ok")
            );
    }
}
