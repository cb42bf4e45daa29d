using System.Collections.Immutable;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Events;
using Xunit;

namespace AgentExecutor.Conformance.Events;

/// <content>The changes of a superstep, as they are read back from what its commit stored.</content>
public abstract partial class EventLogContract
{
    [Fact]
    public async Task The_change_of_a_plain_channel_is_the_value_of_its_checkpoint()
    {
        await CommitAsync(
            Checkpoint("c1") with
            {
                Channels = [new("x", 1), new("y", 1)],
                Updated = ["x", "y"],
            },
            values: [Value("x", 1, "1"), Value("y", 1, "\"y\"")]
        );
        await CommitAsync(
            Checkpoint("c2", "c1") with
            {
                Channels = [new("x", 2), new("y", 1)],
                Updated = ["x"],
            },
            [new("task", 0, "x", Json("2"))],
            [Value("x", 2, "2")]
        );
        await CommitAsync(
            Checkpoint("c3", "c2") with
            {
                Channels = [new("x", 3), new("y", 1)],
                Updated = ["x"],
            },
            [new("task", 0, "x", Json("3"))],
            [Value("x", 3, "3")]
        );

        Assert.Equal("c1: x y, writes , values x1=1 y1=\"y\"", await ChangeAsync("c1"));
        Assert.Equal("c2: x, writes task0:x=2, values x2=2", await ChangeAsync("c2"));
        Assert.Equal("c3: x, writes task0:x=3, values x3=3", await ChangeAsync("c3"));
    }

    [Fact]
    public async Task The_change_of_a_delta_channel_consists_of_the_writes_under_the_parent_in_task_order()
    {
        await CommitAsync(Checkpoint("c1") with { Channels = [Delta("log", 1)], Updated = ["log"] }, values: [Value("log", 1, "[]")]);
        await PendAsync("c1", new StoredWrite("b", 1, "log", Json("[4]")), new StoredWrite("b", 0, "log", Json("[3]")));
        await CommitAsync(
            Checkpoint("c2", "c1") with
            {
                Channels = [Delta("log", 2, updates: 4)],
                Updated = ["log"],
            },
            [new("a", 10, "log", Json("[2]")), new("a", 2, "log", Json("[1]"))]
        );
        await CommitAsync(
            Checkpoint("c3", "c2") with
            {
                Channels = [Delta("log", 3, updates: 5)],
                Updated = ["log"],
            },
            [new("a", 0, "log", Json("[5]"))]
        );
        await PendAsync("c3", new StoredWrite("a", 0, "log", Json("[\"pending\"]")));

        Assert.Equal("c2: log, writes a2:log=[1] a10:log=[2] b0:log=[3] b1:log=[4], values ", await ChangeAsync("c2"));
        Assert.Equal("c3: log, writes a0:log=[5], values ", await ChangeAsync("c3"));
    }

    [Fact]
    public async Task Writes_to_other_and_special_channels_are_omitted()
    {
        await CommitAsync(Checkpoint("c1") with { Channels = [Delta("log", 1), Delta("other", 1)] });
        await PendAsync(
            "c1",
            new StoredWrite("a", SpecialChannel.DoneIndex, SpecialChannel.Done, Json("null")),
            new StoredWrite("a", SpecialChannel.InterruptIndex, SpecialChannel.Interrupt, Json("[]")),
            new StoredWrite("b", 0, "other", Json("[9]"))
        );
        await CommitAsync(
            Checkpoint("c2", "c1") with
            {
                Channels = [Delta("log", 2, updates: 1), Delta("other", 1)],
                Updated = ["log"],
            },
            [new("a", 0, "log", Json("[1]"))]
        );

        Assert.Equal("c2: log, writes a0:log=[1], values ", await ChangeAsync("c2"));
    }

    [Fact]
    public async Task A_delta_channel_with_a_whole_value_has_it_in_addition_to_its_writes_or_alone()
    {
        await CommitAsync(Checkpoint("c1") with { Channels = [Delta("log", 1)], Updated = ["log"] }, values: [Value("log", 1, "[0]")]);
        await CommitAsync(
            Checkpoint("c2", "c1") with
            {
                Channels = [Delta("log", 2)],
                Updated = ["log"],
            },
            [new("a", 0, "log", Json("[1]"))],
            [Value("log", 2, "[0,1]")]
        );
        await CommitAsync(
            Checkpoint("c3", "c2") with
            {
                Channels = [Delta("log", 3)],
                Updated = ["log"],
            },
            values: [Value("log", 3, "[3]")]
        );

        Assert.Equal("c2: log, writes a0:log=[1], values log2=[0,1]", await ChangeAsync("c2"));
        Assert.Equal("c3: log, writes , values log3=[3]", await ChangeAsync("c3"));
    }

    [Fact]
    public async Task A_whole_value_of_an_unchanged_channel_is_not_a_change()
    {
        await CommitAsync(
            Checkpoint("c1") with
            {
                Channels = [Delta("log", 4), new("x", 1)],
                Updated = ["x"],
            },
            values: [Value("log", 4, "[0]"), Value("x", 1, "1")]
        );

        Assert.Equal("c1: x, writes , values x1=1", await ChangeAsync("c1"));
    }

    [Fact]
    public async Task The_changes_of_a_subgraph_are_found_by_its_namespace()
    {
        await CommitAsync(Checkpoint("c1") with { Channels = [new("x", 1)], Updated = ["x"] }, values: [Value("x", 1, "\"root\"")]);
        await CommitAsync(
            Checkpoint("c1") with
            {
                Namespace = "tools:1",
                Channels = [new("x", 1)],
                Updated = ["x"],
            },
            values: [Value("x", 1, "\"sub\"")]
        );
        await CommitAsync(
            Checkpoint("c2", "c1") with
            {
                Namespace = "tools:1",
                Channels = [Delta("log", 1, updates: 1)],
                Updated = ["log"],
            },
            [new("a", 0, "log", Json("[1]"))]
        );

        Assert.Equal(
            [
                "c1: x, writes , values x1=\"root\"",
                "tools:1 c1: x, writes , values x1=\"sub\"",
                "tools:1 c2: log, writes a0:log=[1], values ",
            ],
            await ChangesAsync(new("tools:1", "c2"), new("", "c1"), new("", "c2"), new("tools:1", "c1"), new("tools:2", "c1"))
        );
    }

    [Fact]
    public async Task Channels_are_listed_in_the_order_in_which_they_changed()
    {
        ImmutableArray<ChannelVersion> channels = [new("b", 1), new("d", 1), new("a", 1), new("c", 1)];
        await CommitAsync(
            Checkpoint("c1") with
            {
                Channels = channels,
                Updated = ["a", "d", "b"],
            },
            values: [.. channels.Select(channel => Value(channel.Name, 1, "0"))]
        );

        var change = Assert.Single(await Log.ReadChangesAsync("t", [new("", "c1")], Cancel));

        Assert.Equal(["a", "d", "b"], change.Updated);
        Assert.Equal(["a", "b", "d"], change.Values.Select(value => value.Channel).Order());
    }

    [Fact]
    public async Task Pruned_and_unknown_checkpoints_are_omitted_and_a_pruned_parent_has_no_writes()
    {
        await CommitAsync(Checkpoint("c1") with { Channels = [new("x", 1)], Updated = ["x"] }, values: [Value("x", 1, "1")]);
        await CommitAsync(
            Checkpoint("c2", "c1") with
            {
                Channels = [new("x", 2)],
                Updated = ["x"],
            },
            [new("a", 0, "x", Json("2"))],
            [Value("x", 2, "2")]
        );
        await CommitAsync(
            Checkpoint("c3", "c2") with
            {
                Channels = [new("x", 3)],
                Updated = ["x"],
            },
            [new("a", 0, "x", Json("3"))],
            [Value("x", 3, "3")]
        );

        await Checkpoints.PruneAsync("t", 1, Cancel);

        Assert.Equal(["c3: x, writes , values x3=3"], await ChangesAsync(new("", "c1"), new("", "c2"), new("", "c3"), new("", "c9")));
        Assert.Empty(await Log.ReadChangesAsync("nobody", [new("", "c3")], Cancel));
        Assert.Empty(await Log.ReadChangesAsync("t", [], Cancel));
    }

    [Fact]
    public async Task Hundreds_of_checkpoints_can_be_requested_at_once_and_each_is_returned_once()
    {
        const int Count = 700;
        await Task.WhenAll(
            Enumerable
                .Range(0, Count)
                .Select(i =>
                    CommitAsync(
                        Checkpoint($"c{i:000}", i == 0 ? null : $"c{i - 1:000}") with
                        {
                            Channels = [new("x", i + 1)],
                            Updated = ["x"],
                        },
                        i == 0 ? [] : [new("a", 0, "x", Json($"{i}"))],
                        [Value("x", i + 1, $"{i}")]
                    )
                )
        );

        var ids = Enumerable.Range(0, Count).Select(i => new CheckpointKey("", $"c{i:000}")).ToArray();
        var changes = await ChangesAsync([.. ids, .. ids]);

        Assert.Equal(Count, changes.Count);
        Assert.Equal("c699: x, writes a0:x=699, values x700=699", changes[^1]);
    }

    private static StoredValue Value(string channel, int version, string json) => new(channel, version, Json(json));

    private static ChannelVersion Delta(string name, int version, int updates = 0) => new(name, version, IsDelta: true, updates, updates);

    private static StoredCheckpoint Checkpoint(string id, string? parent = null) =>
        new()
        {
            ThreadId = "t",
            Namespace = "",
            Id = id,
            ParentId = parent,
            Source = CheckpointSource.Loop,
            Time = Time,
            Due = Json("[]"),
        };

    private async Task CommitAsync(
        StoredCheckpoint checkpoint,
        ImmutableArray<StoredWrite>? writes = null,
        ImmutableArray<StoredValue>? values = null
    ) =>
        await Checkpoints.CommitAsync(
            new StepCommit
            {
                ThreadId = checkpoint.ThreadId,
                Fence = 1,
                Namespace = checkpoint.Namespace,
                WritesUnder = checkpoint.ParentId,
                Writes = writes ?? [],
                Checkpoint = checkpoint,
                Values = values ?? [],
            },
            Cancel
        );

    private async Task PendAsync(string under, params ImmutableArray<StoredWrite> writes) =>
        await Checkpoints.CommitAsync(
            new StepCommit
            {
                ThreadId = "t",
                Fence = 1,
                WritesUnder = under,
                Writes = writes,
            },
            Cancel
        );

    private async Task<string> ChangeAsync(string id) => Assert.Single(await ChangesAsync(new CheckpointKey("", id)));

    /// <summary>Returns the changes as sorted text.</summary>
    private async Task<List<string>> ChangesAsync(params ImmutableArray<CheckpointKey> keys) =>
        [.. (await Log.ReadChangesAsync("t", keys, Cancel)).Select(Describe).Order(StringComparer.Ordinal)];

    private static string Describe(StoredChange change)
    {
        var writes = change.Writes.Select(write => $"{write.TaskId}{write.Index}:{write.Channel}={Text(write.Json)}");
        var values = change.Values.Select(value => $"{value.Channel}{value.Version}={Text(value.Json)}").Order(StringComparer.Ordinal);
        var checkpoint = $"{change.Checkpoint.Namespace} {change.Checkpoint.Id}".TrimStart();
        var updated = string.Join(' ', change.Updated);
        return $"{checkpoint}: {updated}, writes {string.Join(' ', writes)}, values {string.Join(' ', values)}";
    }
}
