using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace AgentExecutor.Benchmarks;

/// <summary>
/// An MCP server over streamable HTTP with the tool <c>echo</c>. It does as little as the protocol permits, so that the time of a call is
/// that of the client. See https://modelcontextprotocol.io/specification/2025-06-18/basic/transports.
/// </summary>
internal static class McpEcho
{
    private const string Revision = "2025-06-18";

    public static async Task AnswerAsync(HttpContext context)
    {
        if (context.Request.Method != HttpMethods.Post)
        {
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed; // it sends nothing on its own
            return;
        }
        using var request = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
        if (!request.RootElement.TryGetProperty("id", out var id))
        {
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            return;
        }
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync($$"""{"jsonrpc":"2.0","id":{{id.GetRawText()}},{{OutcomeOf(request.RootElement)}}}""");
    }

    private static string OutcomeOf(JsonElement request) =>
        request.GetProperty("method").GetString() switch
        {
            "initialize" => $$$"""
                "result":{"protocolVersion":"{{{Revision}}}","capabilities":{"tools":{}},"serverInfo":{"name":"echo","version":"1"}}
                """,
            "tools/list" => """
                "result":{"tools":[{"name":"echo","description":"Repeats.","inputSchema":{"type":"object"},
                "annotations":{"readOnlyHint":true}}]}
                """,
            "tools/call" => """
                "result":{"content":[{"type":"text","text":"x"}]}
                """,
            "ping" => "\"result\":{}",
            _ => """
                "error":{"code":-32601,"message":"unknown method"}
                """,
        };
}
