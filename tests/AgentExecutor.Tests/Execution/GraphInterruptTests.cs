using System.Collections.Concurrent;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using static AgentExecutor.Tests.Engine;

namespace AgentExecutor.Tests.Execution;

public sealed class GraphInterruptTests
{
    private static readonly string Start = Graph.Start;

    [Fact]
    public async Task Several_interrupts_can_be_answered_in_any_order_and_finished_tasks_do_not_run_again()
    {
        var engine = new Engine();
        var ran = new ConcurrentDictionary<string, int>();
        Node Asks(string name) =>
            Node(
                name,
                context =>
                {
                    ran.AddOrUpdate(name, 1, (_, count) => count + 1);
                    var answer = context.Interrupt(JsonBytes.Text($"{name}?"));
                    context.WriteJson("log", JsonBytes.Text($"{name}={JsonBytes.Display(answer)}"));
                }
            );
        var sibling = Node(
            "sibling",
            context =>
            {
                ran.AddOrUpdate("sibling", 1, (_, count) => count + 1);
                context.WriteJson("log", JsonBytes.Text("sibling"));
            }
        );
        var graph = new Graph(
            "g",
            [Asks("a"), sibling, Asks("b"), Logs("end")],
            [
                new Edge.Direct(Start, "a"),
                new Edge.Direct(Start, "sibling"),
                new Edge.Direct(Start, "b"),
                new Edge.Direct("a", "end"),
                new Edge.Direct("b", "end"),
                new Edge.Direct("sibling", "end"),
            ],
            Log
        );

        var first = await engine.RunAsync(graph, ("log", Update("in")));
        Assert.Equal(["a?", "b?"], first.Interrupts.Select(it => JsonBytes.Display(it.Value)));
        var second = await engine.ResumeAsync(graph, (first.Interrupts[1].Id, "yes"));
        Assert.Equal([first.Interrupts[0].Id], second.Interrupts.Select(it => it.Id));
        var third = await engine.ResumeAsync(graph, (first.Interrupts[0].Id, "no"));

        Assert.Equal("in a=no sibling b=yes end", LogOf(third));
        Assert.Equal((2, 1, 2), (ran["a"], ran["sibling"], ran["b"]));
    }

    [Fact]
    public async Task A_task_can_ask_several_questions_and_each_answer_is_kept()
    {
        var engine = new Engine();
        var graph = new Graph(
            "g",
            [
                Node(
                    "a",
                    context =>
                    {
                        var name = JsonBytes.Display(context.Interrupt(JsonBytes.Text("name?")));
                        var town = JsonBytes.Display(context.Interrupt(JsonBytes.Text("town?")));
                        context.WriteJson("log", JsonBytes.Text($"{name} of {town}"));
                    }
                ),
            ],
            [new Edge.Direct(Start, "a")],
            Log
        );

        var first = await engine.RunAsync(graph, ("log", Update("in")));
        var second = await engine.ResumeAsync(graph, (Assert.Single(first.Interrupts).Id, "Ada"));
        var third = await engine.ResumeAsync(graph, (Assert.Single(second.Interrupts).Id, "London"));

        Assert.NotEqual(first.Interrupts[0].Id, second.Interrupts[0].Id);
        Assert.Equal("in Ada of London", LogOf(third));
    }

    [Fact]
    public async Task An_interrupt_before_a_node_delays_it_and_an_interrupt_after_a_node_keeps_its_result()
    {
        var engine = new Engine();
        var ran = 0;
        var graph = new Graph(
            "g",
            [
                Node(
                    "a",
                    context =>
                    {
                        ran++;
                        context.WriteJson("log", JsonBytes.Text("a"));
                    }
                ) with
                {
                    InterruptBefore = true,
                    InterruptAfter = true,
                },
            ],
            [new Edge.Direct(Start, "a")],
            Log
        );

        var before = await engine.RunAsync(graph, ("log", Update("in")));
        Assert.Equal(0, ran);
        var after = await engine.ResumeAsync(graph, (Assert.Single(before.Interrupts).Id, "go"));
        Assert.Equal("in", LogOf(after));
        var done = await engine.ResumeAsync(graph, (Assert.Single(after.Interrupts).Id, "go"));

        Assert.Equal("in a", LogOf(done));
        Assert.Equal(1, ran);
    }

    [Fact]
    public async Task An_interrupt_in_a_subgraph_interrupts_the_run_and_its_answer_reaches_the_subgraph()
    {
        var engine = new Engine();
        var outerRuns = 0;
        var inner = new Graph(
            "inner",
            [Logs("first"), Node("ask", context => context.WriteJson("log", context.Interrupt(JsonBytes.Text("well?"))))],
            [new Edge.Direct(Start, "first"), new Edge.Direct("first", "ask")],
            Log
        );
        var graph = new Graph(
            "outer",
            [
                new Node(
                    "sub",
                    new DelegateNode(
                        async (context, cancellationToken) =>
                        {
                            outerRuns++;
                            var state = await context.RunSubgraphAsync(inner, [new("log", Update("inner"))], cancellationToken);
                            context.WriteJson("log", JsonBytes.Text(string.Join('+', LogOf(state))));
                        }
                    )
                ),
            ],
            [new Edge.Direct(Start, "sub")],
            Log
        );

        var waits = await engine.RunAsync(graph, ("log", Update("in")));
        var done = await engine.ResumeAsync(graph, (Assert.Single(waits.Interrupts).Id, "fine"));

        Assert.Equal("in inner+first+fine", LogOf(done));
        Assert.Equal(2, outerRuns);
        Assert.Equal(3, (await engine.HistoryAsync(null)).Count(it => it.Namespace.StartsWith("sub:", StringComparison.Ordinal)));
        Assert.Single(await engine.HistoryAsync(null), it => it is { Step: 0, Namespace.Length: > 0 }); // "first" ran once
    }
}
