using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Tests.Sessions;

/// <summary>The events of commits, and what happens to them when a commit fails.</summary>
public sealed class RunSessionTests
{
    private readonly KeptEvents _events = new();
    private readonly GatedStore _store = new();

    [Fact]
    public async Task Events_are_published_in_the_order_of_their_numbers_although_some_wait_for_a_commit()
    {
        using var session = Session();
        session.Publish(Started("before"));
        var gate = _store.Close();
        var commit = session.CommitAsync(Complete.Apply, Cancel).AsTask();
        session.Publish(Started("meanwhile"));
        Assert.Equal([1], Published());

        gate.SetResult();
        await commit;
        session.Publish(Started("after"));

        Assert.Equal([1, 2, 3, 4], Published());
        Assert.IsType<RunEvent.Ended>(_events.All[1].Event);
        Assert.Equal("2: 1 2", Logged(_store.Commits[0])); // the log contains the earlier events and those of the commit
    }

    [Fact]
    public async Task Events_of_a_failed_commit_are_not_published_and_earlier_ones_are_logged_by_the_next()
    {
        using var session = Session();
        session.Publish(Started("before"));
        session.Journal.End(
            new StoredToolCall
            {
                TaskId = "task",
                Tool = "x",
                Outcome = new StoredOutcome("done", false, default),
            }
        );
        _store.Close().SetException(new FaultException(FaultCodes.StoreUnavailable, "away"));
        await Assert.ThrowsAsync<FaultException>(async () => await session.CommitAsync(Complete.Apply, Cancel));
        Assert.Equal(RunStatus.Running, session.Run.Status);

        await session.CommitAsync(Complete.Apply, Cancel);

        Assert.Equal([1, 3], Published()); // 2 was never published
        Assert.Equal("3: 1 3", Logged(_store.Commits[1]));
        Assert.Equal("task", Assert.Single(_store.Commits[1].ToolCalls).TaskId);
        Assert.True(_store.Commits[1].Acquires, "the first commit that takes effect acquires");
    }

    [Fact]
    public async Task The_log_omits_what_the_checkpoint_contains()
    {
        using var session = Session();
        session.Publish(Started("ls"));
        session.Publish(new RunEvent.ToolEnded("lead", new ToolCall("c", "ls", JsonElement.Parse("{}"u8)), "none", false, TimeSpan.Zero));
        session.Publish(new RunEvent.LlmStream("lead", "m", "a chunk"));

        await session.CommitAsync(
            new StepCommit { ThreadId = "t", Fence = 0 },
            new RunEvent.StateUpdated("cp", 3, ["lead"], [new ChannelUpdate("messages", ["[1]"u8.ToArray()])]),
            null,
            Cancel
        );

        var log = JsonElement.Parse(_store.Commits[0].Events!.Json.Span);
        Assert.Equal(
            ["on_tool_start", "on_tool_end", "on_state_update"],
            log.EnumerateArray().Select(update => update.GetProperty("event_type").GetString())
        );
        var update = log[2].GetProperty("data");
        Assert.Equal(["checkpoint_id", "step", "nodes", "final"], update.EnumerateObject().Select(property => property.Name));
        Assert.Equal("cp", update.GetProperty("checkpoint_id").GetString());
    }

    [Fact]
    public async Task The_log_lists_the_delta_channels_that_were_published_as_a_whole()
    {
        using var session = Session();

        await session.CommitAsync(
            new StepCommit { ThreadId = "t", Fence = 0 },
            new RunEvent.StateUpdated(
                "cp",
                3,
                ["lead"],
                [Change("plain"), Change("messages") with { IsWhole = true }, Change("log"), Change("files") with { IsWhole = true }]
            ),
            null,
            Cancel
        );

        var log = JsonElement.Parse(_store.Commits[0].Events!.Json.Span)[0].GetProperty("data");
        Assert.Equal(["checkpoint_id", "step", "nodes", "final", "whole"], log.EnumerateObject().Select(property => property.Name));
        Assert.Equal("""["messages","files"]""", log.GetProperty("whole").GetRawText());
        var live = JsonBytes.Element(Assert.Single(_events.All), RunEventJson.Write).GetProperty("data");
        Assert.Equal(
            ["checkpoint_id", "step", "nodes", "final", "plain", "messages", "log", "files"],
            live.EnumerateObject().Select(property => property.Name)
        );

        static ChannelUpdate Change(string channel) => new(channel, ["[1]"u8.ToArray()]);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static RunEvent Started(string name) => new RunEvent.ToolStarted("lead", new ToolCall("c", name, JsonElement.Parse("{}"u8)));

    private long[] Published() => [.. _events.All.Select(envelope => envelope.Sequence)];

    private static string Logged(StepCommit commit)
    {
        var events = JsonElement.Parse(commit.Events!.Json.Span).EnumerateArray();
        return $"{commit.Events.Last}: {string.Join(' ', events.Select(it => it.GetProperty("seq").GetInt64()))}";
    }

    private RunSession Session() =>
        new(
            new Run
            {
                ThreadId = "t",
                RunId = "r",
                DefinitionHash = "",
                Status = RunStatus.Running,
                Fence = 1,
                Attempt = 1,
            },
            new RunServices(_store, _events, TimeProvider.System),
            new RunLimits()
        );

    /// <summary>Keeps the commits. A test can delay a commit or make it fail.</summary>
    private sealed class GatedStore : ICheckpointStore
    {
        private TaskCompletionSource? _gate;

        public List<StepCommit> Commits { get; } = [];

        public TaskCompletionSource Close() => _gate = new TaskCompletionSource();

        public async ValueTask CommitAsync(StepCommit commit, CancellationToken cancellationToken)
        {
            Commits.Add(commit);
            var gate = Interlocked.Exchange(ref _gate, null);
            await (gate?.Task ?? Task.CompletedTask);
        }

        public ValueTask<LoadedCheckpoint?> LoadAsync(
            string threadId,
            string ns,
            string? checkpointId,
            CancellationToken cancellationToken
        ) => throw new NotSupportedException();

        public IAsyncEnumerable<StoredCheckpoint> ListAsync(CheckpointQuery query, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask<StoredToolCall?> FindToolCallAsync(string threadId, string taskId, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask CopyThreadAsync(string threadId, string checkpointId, string toThreadId, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask DeleteThreadAsync(string threadId, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<int> PruneAsync(string threadId, int keep, CancellationToken cancellationToken) =>
            throw new NotSupportedException();
    }
}
