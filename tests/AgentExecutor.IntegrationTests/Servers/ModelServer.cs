using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>
/// A model server on a loopback port with the APIs of OpenAI and Anthropic, with and without streaming. It answers as the test says,
/// refuses what real servers refuse, records every request, and fails in the ways in which real servers fail.
/// </summary>
public sealed class ModelServer : IAsyncDisposable
{
    /// <summary>The key that the server requires. Tests check that it does not appear where it must not.</summary>
    public const string Key = "sk-planted-0123456789abcdefghijklmnop";

    private readonly ConcurrentQueue<ModelCall> _calls = new();
    private readonly ConcurrentQueue<ModelCall> _refused = new();
    private readonly Func<ModelCall, ModelReply> _answer;
    private readonly WebApplication _app;

    private ModelServer(Func<ModelCall, ModelReply> answer)
    {
        _answer = answer;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder
            .WebHost.UseKestrelCore()
            .ConfigureKestrel(options => options.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1));
        builder.Logging.ClearProviders();
        _app = builder.Build();
        _app.Run(HandleAsync);
    }

    /// <summary>The value for <c>ANTHROPIC_BASE_URL</c>.</summary>
    public string Url => _app.Urls.First();

    /// <summary>The value for <c>OPENAI_BASE_URL</c>.</summary>
    public string OpenAIUrl => $"{Url}/v1";

    /// <summary>The valid requests, in the order of their arrival.</summary>
    public IReadOnlyList<ModelCall> Calls => [.. _calls];

    /// <summary>The requests that the real server would refuse.</summary>
    public IReadOnlyList<ModelCall> Refused => [.. _refused];

    /// <summary>Requires no key, like servers in a private network.</summary>
    public bool IsOpen { get; init; }

    public static async Task<ModelServer> StartAsync(Func<ModelCall, ModelReply> answer, bool isOpen = false)
    {
        var server = new ModelServer(answer) { IsOpen = isOpen };
        await server._app.StartAsync();
        return server;
    }

    /// <summary>Answers every request in the same way.</summary>
    public static Task<ModelServer> StartAsync(ModelReply reply, bool isOpen = false) => StartAsync(_ => reply, isOpen);

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task HandleAsync(HttpContext context)
    {
        IModelWire wire = context.Request.Path.Value switch
        {
            "/v1/chat/completions" => new OpenAIWire(),
            "/v1/messages" => new AnthropicWire(),
            _ => throw new InvalidOperationException($"no such route: {context.Request.Path}"),
        };
        using var reader = new StreamReader(context.Request.Body);
        var call = new ModelCall(
            wire,
            JsonElement.Parse(await reader.ReadToEndAsync()),
            context.Request.Headers.ToDictionary(it => it.Key, it => it.Value.ToString(), StringComparer.OrdinalIgnoreCase),
            _calls.Count
        );
        if (wire.Refuse(call, IsOpen ? null : Key) is { } refusal)
        {
            _refused.Enqueue(call);
            await WriteAsync(context, refusal);
            return;
        }
        _calls.Enqueue(call);
        var reply = _answer(call);
        await (reply.Status is not null ? WriteAsync(context, reply) : AnswerAsync(context, call, reply));
    }

    private static async Task WriteAsync(HttpContext context, ModelReply reply)
    {
        context.Response.StatusCode = reply.Status!.Value;
        context.Response.ContentType = reply.ContentType;
        foreach (var (name, value) in reply.Headers)
        {
            context.Response.Headers[name] = value;
        }
        await context.Response.WriteAsync(reply.Body);
    }

    private static async Task AnswerAsync(HttpContext context, ModelCall call, ModelReply reply)
    {
        var pieces = reply.Pieces ?? (call.IsStream ? call.Wire.Stream(call, reply).ToList() : [call.Wire.Whole(call, reply)]);
        context.Response.ContentType = call.IsStream && reply.ContentType == ModelReply.Json ? "text/event-stream" : reply.ContentType;
        foreach (var part in reply.Bytes ?? [])
        {
            await context.Response.Body.WriteAsync(part);
            await context.Response.Body.FlushAsync();
        }
        if (reply.Bytes is not null)
        {
            return;
        }
        await context.Response.StartAsync(); // An answer without pieces has headers too.
        for (var i = 0; i < pieces.Count; i++)
        {
            if (i == reply.EndsAfter)
            {
                await EndAsync(context, reply.Ending);
                return;
            }
            await context.Response.WriteAsync(pieces[i]);
            await context.Response.Body.FlushAsync();
            await reply.Between(i);
        }
    }

    private static async Task EndAsync(HttpContext context, ModelEnding ending)
    {
        if (ending == ModelEnding.Stall)
        {
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        }
        else if (ending == ModelEnding.Reset)
        {
            context.Abort();
        }
    }
}

/// <summary>How an answer ends before it is complete.</summary>
public enum ModelEnding
{
    /// <summary>The connection is closed normally, as if the answer were complete.</summary>
    Cut,

    /// <summary>The connection is reset.</summary>
    Reset,

    /// <summary>Nothing more is sent, and the connection stays open.</summary>
    Stall,
}

/// <summary>The API of a provider.</summary>
public interface IModelWire
{
    /// <summary>The error of the real server for an invalid request, or null if the request is valid.</summary>
    ModelReply? Refuse(ModelCall call, string? key);

    IEnumerable<string> Stream(ModelCall call, ModelReply reply);

    string Whole(ModelCall call, ModelReply reply);

    /// <summary>The system prompt.</summary>
    string System(JsonElement body);

    /// <summary>The texts of the tool results after the latest answer, in order.</summary>
    IReadOnlyList<string> Results(JsonElement body);
}

/// <summary>A request.</summary>
/// <param name="Number">The number of requests before it.</param>
public sealed record ModelCall(IModelWire Wire, JsonElement Body, IReadOnlyDictionary<string, string> Headers, int Number)
{
    public bool IsStream => Body.TryGetProperty("stream", out var stream) && stream.GetBoolean();

    public IReadOnlyList<JsonElement> Messages => [.. Body.GetProperty("messages").EnumerateArray()];

    /// <summary>The number of answers in the conversation.</summary>
    public int Turn => Messages.Count(message => message.GetProperty("role").GetString() == "assistant");

    public string System => Wire.System(Body);

    public IReadOnlyList<string> Results => Wire.Results(Body);
}
