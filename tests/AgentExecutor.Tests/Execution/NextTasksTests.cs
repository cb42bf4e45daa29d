using System.Collections.Immutable;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Tests.Execution;

public sealed class NextTasksTests
{
    [Fact]
    public void All_plain_edges_are_followed_and_a_shared_target_is_due_once()
    {
        var graph = Graph("a b c", "START>a START>b a>c b>c");

        Assert.Equal("a b", Due(graph, Graph_Start));
        Assert.Equal("c", Due(graph, "a", "b"));
    }

    [Fact]
    public void Nothing_follows_the_end() => Assert.Equal("", Due(Graph("a", "START>a a>END"), "a"));

    [Fact]
    public void Every_edge_whose_condition_holds_is_taken_and_else_only_if_none_does()
    {
        var graph = Graph("a x y z", "START>a a>x?true a>y?true a>z?else");
        Assert.Equal("x y", Due(graph, "a"));

        Assert.Equal("z", Due(Graph("a x y z", "START>a a>x?false a>y?false a>z?else"), "a"));
    }

    [Fact]
    public void The_target_of_a_fan_out_is_due_once_per_item()
    {
        var graph = Graph("a w r", "START>a a>w*3 w>r");

        var schedule = NextTasks.After(graph, ChannelState.Empty(graph.Channels), ["a"]);

        Assert.Equal(["w:0", "w:1", "w:2"], schedule.Due.Select(task => $"{task.Node}:{JsonBytes.Display(task.Argument)}"));
        Assert.Equal("r", Due(graph, "w", "w", "w"));
    }

    [Fact]
    public void A_fan_out_over_an_empty_list_continues_with_the_targets_successors() =>
        Assert.Equal("r", Due(Graph("a w r", "START>a a>w*0 w>r"), "a"));

    [Fact]
    public void A_join_waits_for_branches_that_can_still_arrive()
    {
        var graph = Graph("a b b2 +j", "START>a START>b b>b2 a>j b2>j");

        var (due, state) = Advance(graph, ChannelState.Empty(graph.Channels), "a", "b");
        Assert.Equal("b2", due);
        (due, _) = Advance(graph, state, "b2");
        Assert.Equal("j", due);
    }

    [Fact]
    public void A_join_does_not_wait_for_a_branch_that_was_not_taken()
    {
        var graph = Graph("a b c +j", "START>a a>b a>c?false b>j c>j");

        var (due, state) = Advance(graph, ChannelState.Empty(graph.Channels), "a");
        Assert.Equal("b", due);
        Assert.Equal("j", Advance(graph, state, "b").Due);
    }

    [Fact]
    public void A_join_in_a_loop_waits_again_in_each_iteration()
    {
        var graph = Graph("a b c +j", "START>a a>b a>c b>j c>j j>a?true j>END?else");
        var state = ChannelState.Empty(graph.Channels);
        for (var round = 0; round < 3; round++)
        {
            (var due, state) = Advance(graph, state, "a");
            Assert.Equal("b c", due);
            (due, state) = Advance(graph, state, "b", "c");
            Assert.Equal("j", due);
            (due, state) = Advance(graph, state, "j");
            Assert.Equal("a", due);
        }
    }

    [Fact]
    public void Joins_that_wait_for_each_other_fire_in_graph_order()
    {
        var graph = Graph("a b +j +k", "START>a START>b a>j k>j b>k j>k");

        Assert.Equal("j", Due(graph, "a", "b"));
    }

    private const string Graph_Start = AgentExecutor.Core.Graphs.Graph.Start;

    private static string Due(Graph graph, params string[] finished) => Advance(graph, ChannelState.Empty(graph.Channels), finished).Due;

    private static (string Due, ChannelState State) Advance(Graph graph, ChannelState state, params string[] finished)
    {
        var schedule = NextTasks.After(graph, state, finished);
        var slots = (ChannelSlot[])state.Slots.Clone();
        foreach (var group in schedule.Barriers.GroupBy(write => write.Channel))
        {
            var value = state.Channels[group.Key].Reduce(slots[group.Key].Value, [.. group.Select(write => write.Update)]);
            slots[group.Key] = new ChannelSlot(value, slots[group.Key].Version + 1, default);
        }
        return (string.Join(' ', schedule.Due.Select(task => task.Node)), new ChannelState(state.Channels, slots));
    }

    /// <summary>
    /// Creates a graph. Nodes are given by name, with a + if they join; edges as from>to, with ?true, ?false, ?else or *items.
    /// </summary>
    private static Graph Graph(string nodes, string edges) =>
        new(
            "test",
            [
                .. nodes
                    .Split(' ')
                    .Select(name =>
                        Engine.Node(name.TrimStart('+'), _ => { }) with
                        {
                            Join = name[0] == '+' ? JoinMode.All : JoinMode.Any,
                        }
                    ),
            ],
            [
                .. edges
                    .Split(' ')
                    .Select(
                        Edge (text) =>
                        {
                            var (from, rest) = (
                                text[..text.IndexOf('>', StringComparison.Ordinal)],
                                text[(text.IndexOf('>', StringComparison.Ordinal) + 1)..]
                            );
                            if (rest.Split('?') is [var to, var when])
                            {
                                return when == "else" ? new Edge.Otherwise(from, to) : new Edge.When(from, to, _ => when == "true", when);
                            }
                            return rest.Split('*') is [var target, var items]
                                ? new Edge.FanOut(
                                    from,
                                    target,
                                    _ =>
                                        [
                                            .. Enumerable
                                                .Range(0, int.Parse(items, System.Globalization.CultureInfo.InvariantCulture))
                                                .Select(i => JsonBytes.Number(i)),
                                        ],
                                    items
                                )
                                : new Edge.Direct(from, rest);
                        }
                    ),
            ],
            ImmutableArray<Channel>.Empty
        );
}
