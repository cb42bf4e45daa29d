using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>A real MCP server over streamable HTTP on a loopback port.</summary>
public sealed class McpTestServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly McpServerPrimitiveCollection<McpServerTool> _tools = [];

    private McpTestServer(int port)
    {
        AddTools();
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder
            .WebHost.UseKestrelCore()
            .ConfigureKestrel(options => options.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http1));
        builder.Logging.ClearProviders();
        builder.Services.AddRouting();
        builder.Services.AddMcpServer(options => options.ToolCollection = _tools).WithHttpTransport();
        _app = builder.Build();
        _app.Use(
            (context, next) =>
            {
                Authorizations.Enqueue(context.Request.Headers.Authorization.ToString());
                return next(context);
            }
        );
        _app.MapMcp("/mcp");
    }

    public string Url => $"{_app.Urls.First()}/mcp";

    public int Port => new Uri(_app.Urls.First()).Port;

    /// <summary>The idempotency keys of the calls of <c>record</c> and <c>ask</c>, in the order of their arrival.</summary>
    public ConcurrentQueue<string> Keys { get; } = [];

    /// <summary>The header of each request.</summary>
    public ConcurrentQueue<string> Authorizations { get; } = [];

    /// <param name="port">The port; 0 for a free one.</param>
    public static async Task<McpTestServer> StartAsync(int port = 0)
    {
        var server = new McpTestServer(port);
        await server._app.StartAsync();
        return server;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private void AddTools()
    {
        Add("sum", (int a, int b) => a + b, new() { ReadOnly = true, Description = "Adds two numbers." });
        Add("record", (RequestContext<CallToolRequestParams> context, string text) => Record(context, text), new());
        Add("erase", (RequestContext<CallToolRequestParams> context) => Record(context, "erased"), new() { Destructive = true });
        Add(
            "erase_once",
            (RequestContext<CallToolRequestParams> context) => Record(context, "erased"),
            new() { Destructive = true, Idempotent = true }
        );
        Add(
            "picture",
            () => new CallToolResult { Content = [ImageContentBlock.FromBytes(new byte[] { 1, 2, 3, 4, 5 }, "image/png")] },
            new() { ReadOnly = true }
        );
        Add(
            "structured",
            () => new CallToolResult { Content = [], StructuredContent = JsonElement.Parse("""{"degrees": 21}""") },
            new() { ReadOnly = true }
        );
        Add("broken", string () => throw new McpException("the pump is broken"), new());
        Add("odd.name", () => "odd", new() { ReadOnly = true });
        Add("work", WorkAsync, new());
        Add("ask", Ask, new());
        Add("ask_once", Ask, new() { Destructive = true });
        Add(
            "grow",
            () =>
            {
                _tools.TryAdd(McpServerTool.Create(() => "grown", new() { Name = "grown" }));
                return "there is a new tool";
            },
            new()
        );
    }

    private void Add(string name, Delegate act, McpServerToolCreateOptions options)
    {
        options.Name = name;
        _tools.Add(McpServerTool.Create(act, options));
    }

    private string Record(RequestContext<CallToolRequestParams> context, string text)
    {
        Keys.Enqueue(context.Params?.Meta?["idempotencyKey"]?.GetValue<string>() ?? "");
        return $"recorded {text}";
    }

    private static async Task<string> WorkAsync(IProgress<ProgressNotificationValue> progress)
    {
        progress.Report(
            new ProgressNotificationValue
            {
                Progress = 3,
                Total = 3,
                Message = "all parts",
            }
        );
        // The report is sent in the background, and would otherwise be overtaken by the result.
        await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System);
        return "worked";
    }

    /// <summary>Asks a question by returning it as the result of the call, which the client then makes again with the answer.</summary>
    private string Ask(RequestContext<CallToolRequestParams> context, string topic)
    {
        Record(context, topic);
        if (context.Params?.InputResponses?.TryGetValue("colour", out var response) is not true)
        {
            var question = new ElicitRequestParams
            {
                Message = $"Which colour has the {topic}?",
                RequestedSchema = new ElicitRequestParams.RequestSchema
                {
                    Properties = { ["colour"] = new ElicitRequestParams.StringSchema { MinLength = 2 } },
                    Required = ["colour"],
                },
            };
            throw new InputRequiredException(
                new Dictionary<string, InputRequest> { ["colour"] = InputRequest.ForElicitation(question) },
                "state"
            );
        }
        var answer = response.Deserialize(InputResponse.ElicitResultJsonTypeInfo)!;
        return answer.IsAccepted ? $"the {topic} is {answer.Content!["colour"].GetString()}" : $"no colour: {answer.Action}";
    }
}
