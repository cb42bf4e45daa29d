using AgentExecutor.Core.Checkpoints;
using Xunit;

namespace AgentExecutor.Conformance.Checkpoints;

/// <summary>The journal of tool calls.</summary>
public abstract partial class CheckpointStoreContract
{
    [Fact]
    public async Task A_tool_call_is_stored_before_it_is_made_and_again_with_its_outcome()
    {
        var begun = new StoredToolCall
        {
            TaskId = "task",
            Namespace = "tools:1",
            Tool = "save",
            CallId = "call \0 1",
            StartedAt = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
        };
        await Commit(Checkpoint("t", "c1"));
        await Journal(begun);
        Assert.Equal(begun, await Store.FindToolCallAsync("t", "task", Cancel));

        var ended = begun with { Outcome = new StoredOutcome("saved \0", false, begun.StartedAt.AddSeconds(1)) };
        await Journal(ended);
        Assert.Equal(ended, await Store.FindToolCallAsync("t", "task", Cancel));

        var changing = ended with { Outcome = ended.Outcome with { Updates = """[["items",["ü\u0000"]]]""" } };
        await Journal(changing);
        Assert.Equal(changing, await Store.FindToolCallAsync("t", "task", Cancel));
        Assert.Null(await Store.FindToolCallAsync("t", "other", Cancel));
    }

    private async Task Journal(StoredToolCall call) =>
        await Store.CommitAsync(
            new StepCommit
            {
                ThreadId = "t",
                Fence = 1,
                ToolCalls = [call],
            },
            Cancel
        );
}
