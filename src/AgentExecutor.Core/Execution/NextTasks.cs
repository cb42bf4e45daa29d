using System.Collections.Immutable;
using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Graphs;

namespace AgentExecutor.Core.Execution;

/// <summary>
/// Determines the tasks of the next superstep. This is a pure function of the graph, the state after the superstep and the nodes that ran.
/// <list type="number">
/// <item>Follow the edges of each node that ran, in graph order. The target of a plain edge is scheduled once; the target of a fan-out is
/// scheduled once per item. If the list of a fan-out is empty, execution continues with the target's successors.</item>
/// <item>A node that joins several branches is not scheduled yet. Its barrier channel records which predecessors have arrived.</item>
/// <item>A join fires when all its predecessors have arrived, or when none of the missing ones can arrive any more, because no due task
/// and no other waiting join leads to them. If only joins remain and they wait for each other, the first one in graph order fires.</item>
/// </list>
/// </summary>
public static class NextTasks
{
    public static Schedule After(Graph graph, ChannelState state, ReadOnlySpan<string> finished)
    {
        if (finished.Length == 1 && graph.EdgesFrom(finished[0]) is [Edge.Direct only] && graph.Find(only.To) is { Join: JoinMode.Any })
        {
            return new Schedule([new DueTask(only.To)], []); // the most common case needs no bookkeeping
        }
        var walker = new EdgeWalker(graph, new StateView(state));
        foreach (var node in finished)
        {
            walker.Follow(node);
        }
        return walker.BuildSchedule(state);
    }

    private sealed class EdgeWalker(Graph graph, StateView view)
    {
        private readonly List<DueTask> _due = [];
        private readonly HashSet<string> _scheduled = new(StringComparer.Ordinal);
        private readonly HashSet<string> _followed = new(StringComparer.Ordinal);
        private readonly Dictionary<string, ImmutableSortedSet<string>> _arrivals = new(StringComparer.Ordinal);

        public void Follow(string node)
        {
            if (!_followed.Add(node))
            {
                return;
            }
            var conditionHeld = false;
            foreach (var edge in graph.EdgesFrom(node))
            {
                switch (edge)
                {
                    case Edge.Direct direct:
                        Arrive(node, direct.To);
                        break;
                    case Edge.When branch when branch.Condition(view):
                        conditionHeld = true;
                        Arrive(node, branch.To);
                        break;
                    case Edge.FanOut fanOut:
                        FanOut(fanOut);
                        break;
                    case Edge.Router router:
                        Route(node, router);
                        break;
                }
            }
            if (!conditionHeld)
            {
                foreach (var edge in graph.EdgesFrom(node))
                {
                    if (edge is Edge.Otherwise otherwise)
                    {
                        Arrive(node, otherwise.To);
                    }
                }
            }
        }

        public Schedule BuildSchedule(ChannelState state)
        {
            if (graph.Joins.IsEmpty)
            {
                return new Schedule([.. _due], []);
            }
            var waiting = new List<Join>();
            foreach (var join in graph.Joins)
            {
                if (!ArrivedAt(join, state).IsEmpty)
                {
                    waiting.Add(join);
                }
            }
            var fired = Fire(waiting, state);
            var barriers = ImmutableArray.CreateBuilder<ChannelWrite>();
            foreach (var join in graph.Joins)
            {
                AddBarrierWrites(barriers, join, fired.Contains(join.Node), state);
            }
            return new Schedule([.. _due], barriers.ToImmutable());
        }

        private void Arrive(string from, string to)
        {
            if (to == Graph.End)
            {
                return;
            }
            if (graph.Require(to).Join == JoinMode.All)
            {
                _arrivals[to] = _arrivals.GetValueOrDefault(to, []).Add(from);
            }
            else if (_scheduled.Add(to))
            {
                _due.Add(new DueTask(to));
            }
        }

        private void FanOut(Edge.FanOut edge)
        {
            var items = edge.Items(view);
            foreach (var item in items)
            {
                _due.Add(new DueTask(edge.To, item));
            }
            if (items.Count == 0 && edge.To != Graph.End)
            {
                Follow(edge.To);
            }
        }

        private void Route(string node, Edge.Router router)
        {
            foreach (var task in router.Route(view))
            {
                if (task.Argument.ValueKind == JsonValueKind.Undefined)
                {
                    Arrive(node, task.Node);
                }
                else
                {
                    _due.Add(task);
                }
            }
        }

        private HashSet<string> Fire(List<Join> waiting, ChannelState state)
        {
            var fired = new HashSet<string>(StringComparer.Ordinal);
            while (waiting.Count > 0)
            {
                var next = waiting.Find(join => IsReady(join, waiting, state)) ?? (_due.Count == 0 ? waiting[0] : null);
                if (next is null)
                {
                    break;
                }
                waiting.Remove(next);
                fired.Add(next.Node);
                _due.Add(new DueTask(next.Node));
            }
            return fired;
        }

        private bool IsReady(Join join, List<Join> waiting, ChannelState state)
        {
            var missing = join.Expected.Except(ArrivedAt(join, state));
            return !missing.Any(node =>
                _due.Exists(task => graph.CanReach(task.Node, node))
                || waiting.Exists(other => other != join && graph.CanReach(other.Node, node))
            );
        }

        private ImmutableSortedSet<string> ArrivedAt(Join join, ChannelState state) =>
            BarrierChannel.Arrived(state[join.Channel]).Union(_arrivals.GetValueOrDefault(join.Node, []));

        private void AddBarrierWrites(ImmutableArray<ChannelWrite>.Builder writes, Join join, bool fired, ChannelState state)
        {
            var channel = state.Channels.Require(join.Channel);
            if (!fired)
            {
                writes.AddRange(_arrivals.GetValueOrDefault(join.Node, []).Select(name => new ChannelWrite(channel, name)));
            }
            else if (!BarrierChannel.Arrived(state[join.Channel]).IsEmpty)
            {
                writes.Add(new ChannelWrite(channel, BarrierChannel.Reset));
            }
        }
    }
}
