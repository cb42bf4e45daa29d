using System.Globalization;
using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.ModelProviders.Scripted;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Benchmarks;

/// <summary>
/// A real agent with a scripted model. Each turn consists of one model call and one tool call with a result of about 2 KB, and takes two
/// supersteps.
/// </summary>
internal static class Conversation
{
    public static Graph Graph(int turns)
    {
        var spec = new AgentSpec
        {
            Name = "bench",
            Model = new ModelSpec
            {
                Provider = ScriptedProvider.ProviderName,
                Model = "bench",
                ContextTokens = int.MaxValue,
                Script = JsonElement.Parse(
                    """[{"when": {"turn": TURNS}, "text": "done"}, {"when": {}, "tool_calls": [{"name": "page", "args": {}}]}]""".Replace(
                        "TURNS",
                        turns.ToString(CultureInfo.InvariantCulture),
                        StringComparison.Ordinal
                    )
                ),
            },
            Tools = [new PageTool()],
        };
        return AgentGraph.Build(spec, new ModelCatalog([new ScriptedProvider(TimeProvider.System)]), []);
    }

    /// <summary>Runs the given number of turns, and returns the time of each superstep in milliseconds.</summary>
    public static async Task<double[]> RunAsync(ICheckpointStore store, string threadId, int turns)
    {
        var times = new List<double>();
        var timed = new TimedStore(store, times);
        using var session = Bench.Session(timed, threadId);
        await Bench.RunAsync(Graph(turns), session, AgentState.Messages, MessageUpdate.Append(Message.Human("human", "Go on.")));
        return [.. times];
    }

    /// <summary>
    /// Returns the mean superstep time in the last tenth of a thread divided by that in the first tenth; median of several threads.
    /// </summary>
    public static async Task<double> SlowdownAsync(Func<ICheckpointStore> makeStore, int turns)
    {
        await RunAsync(makeStore(), "slowdown-warm-up", turns);
        var ratios = new List<double>();
        for (var round = 0; round < 5; round++)
        {
            GC.Collect();
            var times = await RunAsync(makeStore(), $"slowdown-{round}", turns);
            var tenth = times.Length / 10;
            ratios.Add(times[^tenth..].Average() / times[..tenth].Average());
        }
        return ratios.Order().ElementAt(ratios.Count / 2);
    }

    private sealed class PageTool : Tool
    {
        private static readonly string Page = string.Concat(
            Enumerable.Range(0, 32).Select(line => $"{line:00}: the quick brown fox jumps over the lazy dog and back.\n")
        );

        public override string Name => "page";

        public override string Description => "Gives a page of text.";

        public override JsonElement Parameters { get; } = JsonElement.Parse("""{"type": "object"}""");

        public override ValueTask<ToolResult> InvokeAsync(
            JsonElement arguments,
            ToolContext context,
            CancellationToken cancellationToken
        ) => ValueTask.FromResult<ToolResult>($"{context.Call.Id}\n{Page}");
    }
}
