using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Benchmarks;

/// <summary>Measures tool calls of the real binary, as its own events report them. All tools answer at once.</summary>
internal static class ToolsBenchmark
{
    private const int WarmUp = 50;
    private const int Calls = 300;
    private const int ColdCalls = 40;

    public static async Task<Dictionary<string, double>> RunAsync()
    {
        var figures = new Dictionary<string, double>();
        await MeasureScriptsAsync(figures);
        await MeasureHttpAsync(figures);
        await MeasureMcpAsync(figures);
        figures["event_tool_roundtrip_p50_ms"] = await EventTools.RoundTripAsync();
        return figures;
    }

    /// <summary>A cold call starts a process for its script: two scripts take turns, and only one process is kept.</summary>
    private static async Task MeasureScriptsAsync(Dictionary<string, double> figures)
    {
        var cold = await ToolCalls.MeasureAsync(
            new JsonArray(Script("one"), Script("two")),
            [.. Enumerable.Range(0, ColdCalls).Select(index => index % 2 == 0 ? "one" : "two")],
            ("AGENT_EXECUTOR_SCRIPT_TOOLS_MAX_RUNNERS", "1")
        );
        figures["script_call_p50_ms_cold"] = Median(cold);
        figures["script_call_p50_ms_warm"] = Median(await RepeatAsync(Script("one"), "one"));
    }

    private static async Task MeasureHttpAsync(Dictionary<string, double> figures)
    {
        await using var server = await StartServerAsync(EchoAsync);
        var url = $"{server.Urls.First()}/echo";
        var tool = Tool("echo", new JsonObject { ["type"] = "http", ["url"] = url });
        var calls = Median(await RepeatAsync(tool, "echo"));
        var bare = await ExchangeAsync(url);
        figures["http_tool_call_p50_ms"] = calls;
        figures["http_tool_overhead_p50_ms"] = calls - bare;
    }

    private static async Task MeasureMcpAsync(Dictionary<string, double> figures)
    {
        await using var server = await StartServerAsync(McpEcho.AnswerAsync);
        var tool = Tool(
            "echo",
            new JsonObject
            {
                ["type"] = "mcp",
                ["url"] = $"{server.Urls.First()}/mcp",
                ["tool"] = "echo",
            }
        );
        figures["mcp_call_p50_ms"] = Median(await RepeatAsync(tool, "echo"));
    }

    private static async Task<double[]> RepeatAsync(JsonObject tool, string name) =>
        (await ToolCalls.MeasureAsync(new JsonArray(tool), [.. Enumerable.Repeat(name, WarmUp + Calls)]))[WarmUp..];

    private static JsonObject Script(string name) =>
        Tool(
            name,
            new JsonObject
            {
                ["script"] = $"""
                from langchain_core.tools import tool

                @tool
                def {name}(text: str) -> str:
                    "Repeats."
                    return text

                """,
            }
        );

    /// <summary>Its calls are not recorded before they are made, so that only the call itself is measured.</summary>
    private static JsonObject Tool(string name, JsonObject runtime) =>
        new()
        {
            ["name"] = name,
            ["description"] = "Repeats the text.",
            ["parameters"] = new JsonObject
            {
                ["type"] = "object",
                ["properties"] = new JsonObject { ["text"] = new JsonObject { ["type"] = "string" } },
            },
            ["effects"] = "none",
            ["runtime"] = runtime,
        };

    private static async Task<WebApplication> StartServerAsync(RequestDelegate answer)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options => options.Listen(IPAddress.Loopback, 0));
        builder.Logging.ClearProviders();
        var server = builder.Build();
        server.Run(answer);
        await server.StartAsync();
        return server;
    }

    private static async Task EchoAsync(HttpContext context)
    {
        await context.Request.Body.CopyToAsync(Stream.Null);
        await context.Response.WriteAsync("x");
    }

    /// <summary>The time in milliseconds of the same exchange without the agent.</summary>
    private static async Task<double> ExchangeAsync(string url)
    {
        using var http = new HttpClient();
        var times = new double[WarmUp + Calls];
        for (var i = 0; i < times.Length; i++)
        {
            var started = Stopwatch.GetTimestamp();
            using var content = new StringContent("""{"text":"x"}""", Encoding.UTF8, "application/json");
            using var answer = await http.PostAsync(new Uri(url), content);
            await answer.Content.ReadAsStringAsync();
            times[i] = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        }
        return Median(times[WarmUp..]);
    }

    private static double Median(double[] times) => Report.Percentile([.. times.Order()], 0.5);
}
