using System.Net;
using System.Text.Json;
using AgentExecutor.Adapters.Http;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messages;
using AgentExecutor.Core.Tools;
using AgentExecutor.Tests.Agents;

namespace AgentExecutor.Tests.Http;

/// <summary>Calls a tool as an agent does, and keeps the requests that it sends.</summary>
internal sealed class CalledTool(Func<HttpRequestMessage, HttpResponseMessage> answer) : HttpMessageHandler
{
    /// <summary>The requests with their bodies.</summary>
    public List<(HttpRequestMessage Request, string? Body)> Sent { get; } = [];

    public HttpRequestMessage Request => Assert.Single(Sent).Request;

    public string? Body => Assert.Single(Sent).Body;

    public HttpToolSettings Settings { get; init; } = new();

    public static CalledTool Answering(string text = "ok") =>
        new(_ => new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(text) });

    public async Task<(string Text, bool IsError)> CallAsync(ToolDefinition definition, string arguments = "{}")
    {
        using var client = new HttpClient(this, disposeHandler: false);
        var tool = new HttpTool(definition, Settings, client, TimeProvider.System);
        tool.Policy = tool.Policy with { Retry = tool.Policy.Retry with { FirstDelay = TimeSpan.Zero } };
        return await CallAsync(tool, arguments);
    }

    public static async Task<(string Text, bool IsError)> CallAsync(Tool tool, string arguments)
    {
        var script =
            """[{"tool_calls": [{"name": """
            + JsonBytes.Compact(JsonBytes.Text(tool.Name))
            + """, "args": """
            + arguments
            + """}]}, {"text": "done"}]""";
        var spec = TestAgents.Scripted("a", script) with { Tools = [tool] };
        var outcome = await new Engine().RunAsync(
            AgentGraph.Build(spec, TestAgents.Models, []),
            (AgentState.Messages, MessageUpdate.Append(Message.Human("h", "go")))
        );
        var message = outcome.State.Get<MessageLog>(AgentState.Messages)!.Single(it => it.Type == MessageType.Tool);
        return (message.Text, message.IsError);
    }

    /// <summary>Reads a tool definition with the name <c>x</c> and the runtime <c>http</c>.</summary>
    public static ToolDefinition Define(string runtime, string? parameters = null, string? effects = null) =>
        new()
        {
            Name = "x",
            Effects = effects,
            StatesEffects = effects is not null,
            Parameters = parameters is null ? null : JsonElement.Parse(parameters),
            Runtime = JsonSerializer.Deserialize<ToolRuntimeDefinition>(runtime, SnakeCase),
        };

    private static readonly JsonSerializerOptions SnakeCase = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Sent.Add((request, request.Content is null ? null : await request.Content.ReadAsStringAsync(cancellationToken)));
        return answer(request);
    }
}
