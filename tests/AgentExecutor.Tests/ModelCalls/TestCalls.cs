using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Core.Sessions;

namespace AgentExecutor.Tests.ModelCalls;

/// <summary>Runs agents against test model servers.</summary>
internal static class TestCalls
{
    public static TestProvider TestServer(params TestAnswer[] answers) => new("test", ("a", answers));

    public static Core.Graphs.Graph Graph(IEnumerable<IModelProvider> providers, AgentSpec spec) =>
        AgentGraph.Build(spec, new ModelCatalog(providers), []);

    public static async Task<Message> RunAsync(Core.Graphs.Graph graph, RunSession session)
    {
        var outcome = await Tests
            .Engine.RunAsync(
                graph,
                session,
                new GraphInput.Begin([new(AgentState.Messages, MessageUpdate.Append(Message.Human("h", "go")))])
            )
            .WaitAsync(2 * Eventually.Limit);
        return outcome.State.Get<MessageLog>(AgentState.Messages)!.Last!;
    }

    public static async Task<List<string>> LinesAsync(Engine engine) =>
        [.. (await MessagesAsync(engine)).Select(it => $"{MessageJson.NameOf(it.Type)}: {it.Text}")];

    /// <summary>Returns the messages as they are stored.</summary>
    public static async Task<MessageLog> MessagesAsync(Engine engine)
    {
        var loaded = await engine.Store.LoadAsync("t", "", null, TestContext.Current.CancellationToken);
        var state = CheckpointReader.Read(loaded!, new Core.Channels.ChannelSet(AgentState.Channels)).State;
        return state.Get<MessageLog>(AgentState.Messages)!;
    }

    /// <summary>Returns the streamed text, with an X where the preceding text was superseded.</summary>
    public static string Shown(Engine engine) =>
        string.Concat(
            engine.Events.All.Select(it =>
                it.Event switch
                {
                    RunEvent.LlmStream chunk => chunk.Text,
                    RunEvent.LlmSuperseded => "|X|",
                    _ => "",
                }
            )
        );

    public static Task<Message> AskAsync(Engine engine, TestProvider server) => AskAsync(engine, [server], TestProvider.Agent("test:a"));

    public static async Task<Message> AskAsync(Engine engine, IEnumerable<IModelProvider> providers, AgentSpec spec)
    {
        using var session = engine.Session();
        return await AskAsync(session, providers, spec);
    }

    public static Task<Message> AskAsync(RunSession session, IEnumerable<IModelProvider> providers, AgentSpec spec) =>
        RunAsync(Graph(providers, spec), session);
}
