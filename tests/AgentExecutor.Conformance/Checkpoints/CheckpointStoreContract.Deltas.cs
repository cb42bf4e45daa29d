using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;
using Xunit;

namespace AgentExecutor.Conformance.Checkpoints;

/// <summary>The values of delta channels.</summary>
public abstract partial class CheckpointStoreContract
{
    [Fact]
    public async Task A_delta_channel_is_rebuilt_from_its_last_whole_value_and_the_writes_since()
    {
        await CommitDelta("c1", null, 0, whole: "[\"a\"]");
        await CommitDelta("c2", "c1", 1, writes: [new("t1", 0, "log", Json("[\"b\"]")), new("t2", 0, "log", Json("[\"c\"]"))]);
        await CommitDelta("c3", "c2", 2, writes: [new("t3", 0, "log", Json("[\"d\"]"))]);
        await Write("t", "c3", new StoredWrite("t9", 0, "log", Json("[\"pending\"]")));

        Assert.Equal("""["a"] + ["b"] ["c"] ["d"]""", await Delta("c3"));
        Assert.Equal("""["a"] + ["b"] ["c"]""", await Delta("c2"));
        Assert.Equal("""["a"] + """, await Delta("c1"));
    }

    [Fact]
    public async Task A_delta_channel_without_a_whole_value_is_rebuilt_from_its_writes()
    {
        await Commit(Checkpoint("t", "c1"));
        await CommitDelta("c2", "c1", 1, writes: [new("t1", 0, "log", Json("[\"a\"]"))]);
        await CommitDelta("c3", "c2", 2, writes: [new("t2", 0, "log", Json("[\"b\"]")), new("t2", 1, "other", Json("0"))]);

        Assert.Equal("""none + ["a"] ["b"]""", await Delta("c3"));
    }

    [Fact]
    public async Task A_later_whole_value_replaces_earlier_writes()
    {
        await CommitDelta("c1", null, 0, whole: "[\"a\"]");
        await CommitDelta("c2", "c1", 1, writes: [new("t1", 0, "log", Json("[\"b\"]"))]);
        await CommitDelta("c3", "c2", 0, whole: "[\"a\",\"b\",\"c\"]", writes: [new("t2", 0, "log", Json("[\"c\"]"))], version: 3);
        await CommitDelta("c4", "c3", 1, writes: [new("t3", 0, "log", Json("[\"d\"]"))], version: 4);

        Assert.Equal("""["a","b","c"] + ["d"]""", await Delta("c4"));
    }

    [Fact]
    public async Task Writes_of_a_sibling_branch_are_not_mixed_in()
    {
        await CommitDelta("c1", null, 0, whole: "[\"a\"]");
        await CommitDelta("c2", "c1", 1, writes: [new("t1", 0, "log", Json("[\"left\"]"))]);
        await CommitDelta("c3", "c2", 2, writes: [new("t2", 0, "log", Json("[\"leaf\"]"))]);
        await CommitDelta("c4", "c1", 1, version: 9);

        Assert.Equal("""["a"] + ["left"]""", await Delta("c4")); // the write is stored under the common parent
        Assert.Equal("""["a"] + ["left"] ["leaf"]""", await Delta("c3"));
    }

    private async Task CommitDelta(
        string id,
        string? parent,
        int updates,
        string? whole = null,
        StoredWrite[]? writes = null,
        int version = 1,
        string thread = "t",
        (string Channel, int Version, string Json)? plain = null
    )
    {
        ImmutableArray<ChannelVersion> channels = [new("log", version, IsDelta: true, updates, updates)];
        ImmutableArray<StoredValue> values = whole is null ? [] : [Value("log", version, whole)];
        if (plain is { } extra)
        {
            channels = channels.Add(new(extra.Channel, extra.Version));
            values = values.Add(Value(extra.Channel, extra.Version, extra.Json));
        }
        await Store.CommitAsync(
            new StepCommit
            {
                ThreadId = thread,
                Fence = 1,
                WritesUnder = parent,
                Writes = [.. writes ?? []],
                Checkpoint = Checkpoint(thread, id, parent) with { Channels = channels },
                Values = values,
            },
            Cancel
        );
    }

    private async Task<string> Delta(string id, string thread = "t")
    {
        var history = Assert.Single((await Load(thread, id: id))!.Deltas);
        return $"{(history.Base is { } whole ? Text(whole) : "none")} + {string.Join(' ', history.Updates.Select(Text))}";
    }
}
