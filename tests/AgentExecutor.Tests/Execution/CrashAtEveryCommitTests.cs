using System.Collections.Concurrent;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Agents.Output;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Messages;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Execution;

/// <summary>Stops a run at each of its commits, as a crash would, and resumes it from the store alone.</summary>
public sealed class CrashAtEveryCommitTests
{
    [Fact]
    public async Task A_deep_agent_has_the_same_result_and_repeats_nothing_that_was_committed()
    {
        var (answer, commits) = await RunAsync(crashAt: int.MaxValue, takesEffect: false);
        Assert.Equal("notes: alpha, beta; files beta.md", answer);
        Assert.True(commits > 10, $"only {commits} commits");

        for (var crashAt = 1; crashAt < commits; crashAt++)
        {
            foreach (var takesEffect in (bool[])[false, true])
            {
                var (resumed, _) = await RunAsync(crashAt, takesEffect);
                Assert.Equal(answer, resumed);
            }
        }
    }

    [Fact]
    public async Task A_run_with_retries_a_fallback_a_summary_and_a_correction_has_the_same_result()
    {
        var (answer, commits) = await RunTroubledAsync(crashAt: int.MaxValue, takesEffect: false);
        Assert.Equal("human: Here is a summary of the conversation so far:\n\nin short|ai: not JSON|human: |ai: {\"ok\":true}", answer);
        // The input, the call, its result, the overflow, the summary, the answer that does not match, and the one that does.
        Assert.Equal(7, commits);

        for (var crashAt = 1; crashAt < commits; crashAt++)
        {
            foreach (var takesEffect in (bool[])[false, true])
            {
                Assert.Equal(answer, (await RunTroubledAsync(crashAt, takesEffect)).Answer);
            }
        }
    }

    /// <summary>
    /// The agent's own model never answers. Its fallback is throttled, reports once that the conversation is too long, and then gives an
    /// answer that does not match the schema.
    /// </summary>
    private static async Task<(string Answer, int Commits)> RunTroubledAsync(int crashAt, bool takesEffect)
    {
        var spec = TestAgents.Scripted("a", """[{"when": {}, "error": {"class": "server", "after_chunks": 1}, "text": "shown in vain"}]""");
        var fallback = TestAgents
            .Scripted(
                "b",
                """
                [{"when": {"user_contains": "does not match"}, "text": "{\"ok\":true}"},
                 {"when": {"user_contains": "Here is a summary"}, "text": "not JSON"},
                 {"when": {"last_contains": "human: count"}, "text": "in short"},
                 {"when": {"last_tool": "count"}, "error": {"class": "context_overflow"}, "text": "never"},
                 {"tool_calls": [{"id": "c", "name": "count", "args": {}}], "text": "let me count",
                  "error": {"class": "rate_limit", "attempts": 1}}]
                """
            )
            .Model;
        return await RunAsync(
            crashAt,
            takesEffect,
            tool =>
                spec with
                {
                    Tools = [tool],
                    KeepMessages = 0,
                    Model = spec.Model with { Fallbacks = [fallback with { Model = "other" }] },
                    Output = new OutputFormat(Engine.Json("""{"type": "object", "required": ["ok"]}"""), "answer"),
                },
            state =>
                string.Join(
                    '|',
                    state.Select(it =>
                        $"{MessageJson.NameOf(it.Type)}: {(it.Id.StartsWith("invalid-output", StringComparison.Ordinal) ? "" : it.Text)}"
                    )
                )
        );
    }

    private static Task<(string Answer, int Commits)> RunAsync(int crashAt, bool takesEffect) =>
        RunAsync(crashAt, takesEffect, tool => Team(tool), messages => messages.Last!.Text);

    private static async Task<(string Answer, int Commits)> RunAsync(
        int crashAt,
        bool takesEffect,
        Func<CountingTool, AgentSpec> makeSpec,
        Func<MessageLog, string> tell
    )
    {
        var crashing = new CrashingStore(crashAt, takesEffect);
        var engine = new Engine
        {
            Wrap = store => crashing.Over(store),
            Time = new FakeTime { SkipsUpTo = TimeSpan.FromSeconds(50) },
        };
        var tool = new CountingTool(crashing);
        var graph = AgentGraph.Build(makeSpec(tool), TestAgents.Models, []);
        var input = new GraphInput.Begin([new(AgentState.Messages, MessageUpdate.Append(Message.Human("h", "count")))]);
        GraphInput next = input;
        while (true)
        {
            using var session = engine.Session();
            try
            {
                var outcome = await Engine.RunAsync(graph, session, next);
                tool.AssertNothingCommittedWasRepeated();
                return (tell(outcome.State.Get<MessageLog>(AgentState.Messages)!), crashing.Commits);
            }
            catch (CrashException)
            {
                var hasBegun = await engine.Store.LoadAsync("t", "", null, TestContext.Current.CancellationToken) is not null;
                next = hasBegun ? GraphInput.Continue.Instance : input;
            }
        }
    }

    /// <summary>Two parallel sub-agents, each of which calls the counting tool and writes a file.</summary>
    private static AgentSpec Team(CountingTool tool)
    {
        AgentSpec Worker(string name) =>
            TestAgents.Scripted(
                name,
                $$"""
                [{"tool_calls": [{"id": "c-{{name}}", "name": "count", "args": {"who": "{{name}}"} }]},
                 {"tool_calls": [{"name": "write_file", "args": {"file_path": "/{{name}}.md", "content": "{{name}}"} }]},
                 {"text": "{{name}}"}]
                """
            ) with
            {
                Tools = [tool],
                Description = name,
            };
        return TestAgents.Scripted(
            "lead",
            """
            [{"tool_calls": [
                {"id": "a", "name": "task", "args": {"subagent_type": "alpha", "description": "go"}},
                {"id": "b", "name": "task", "args": {"subagent_type": "beta", "description": "go"}},
                {"id": "n", "name": "count", "args": {"who": "lead"}}]},
             {"tool_calls": [{"id": "files", "name": "glob", "args": {"pattern": "*.md"}}]},
             {"text": "notes: {{result:a}}, {{result:b}}; files {{result:files|alpha.md\\s/(beta.md)}}"}]
            """
        ) with
        {
            Tools = [tool],
            Subagents = [Worker("alpha"), Worker("beta")],
        };
    }

    /// <summary>Fails one commit, before or after it takes effect, and everything that the attempt does afterwards.</summary>
    private sealed class CrashingStore(int crashAt, bool takesEffect)
    {
        private int _commits;

        public int Commits => _commits;

        private int CrashAt => crashAt;

        private bool TakesEffect => takesEffect;

        public ConcurrentBag<string> CommittedTasks { get; } = [];

        public ICheckpointStore Over(ICheckpointStore store) => new Attempt(this, store);

        private sealed class Attempt(CrashingStore owner, ICheckpointStore store) : ICheckpointStore
        {
            private volatile bool _dead;

            public async ValueTask CommitAsync(StepCommit commit, CancellationToken cancellationToken)
            {
                if (_dead)
                {
                    throw new CrashException();
                }
                var number = Interlocked.Increment(ref owner._commits);
                if (number == owner.CrashAt)
                {
                    _dead = true;
                    if (owner.TakesEffect)
                    {
                        await ApplyAsync(commit, cancellationToken);
                    }
                    throw new CrashException();
                }
                await ApplyAsync(commit, cancellationToken);
            }

            private async Task ApplyAsync(StepCommit commit, CancellationToken cancellationToken)
            {
                await store.CommitAsync(commit, cancellationToken);
                foreach (var write in commit.Writes.Where(write => write.Index >= 0))
                {
                    owner.CommittedTasks.Add(write.TaskId);
                }
            }

            public ValueTask<LoadedCheckpoint?> LoadAsync(
                string threadId,
                string ns,
                string? checkpointId,
                CancellationToken cancellationToken
            ) => _dead ? throw new CrashException() : store.LoadAsync(threadId, ns, checkpointId, cancellationToken);

            public IAsyncEnumerable<StoredCheckpoint> ListAsync(CheckpointQuery query, CancellationToken cancellationToken) =>
                store.ListAsync(query, cancellationToken);

            public ValueTask<StoredToolCall?> FindToolCallAsync(string threadId, string taskId, CancellationToken cancellationToken) =>
                store.FindToolCallAsync(threadId, taskId, cancellationToken);

            public ValueTask CopyThreadAsync(
                string threadId,
                string checkpointId,
                string toThreadId,
                CancellationToken cancellationToken
            ) => throw new NotSupportedException();

            public ValueTask DeleteThreadAsync(string threadId, CancellationToken cancellationToken) => throw new NotSupportedException();

            public ValueTask<int> PruneAsync(string threadId, int keep, CancellationToken cancellationToken) =>
                throw new NotSupportedException();
        }
    }

    /// <summary>Records each call by its task, and whether its outcome had been committed before the call.</summary>
    private sealed class CountingTool(CrashingStore store) : TestTool("count")
    {
        private readonly ConcurrentBag<string> _repeated = [];

        protected override string Invoke(Core.Tools.ToolContext context)
        {
            if (store.CommittedTasks.Contains(context.IdempotencyKey))
            {
                _repeated.Add(context.IdempotencyKey);
            }
            return "counted";
        }

        public void AssertNothingCommittedWasRepeated() => Assert.Empty(_repeated);
    }

    private sealed class CrashException : Exception;
}
