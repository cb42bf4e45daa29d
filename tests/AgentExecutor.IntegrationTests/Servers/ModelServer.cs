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
/// A model server on a loopback port that speaks the wires of OpenAI and Anthropic, streaming and not. It answers what the test says, refuses what the real
/// ones refuse, keeps every request, and breaks in the ways in which real ones break.
/// </summary>
public sealed class ModelServer : IAsyncDisposable
{
    /// <summary>The key that it wants. Tests look for it where it must not be.</summary>
    public const string Key = "sk-planted-0123456789abcdefghijklmnop";

    private readonly ConcurrentQueue<ModelCall> _calls = new();
    private readonly ConcurrentQueue<ModelCall> _refused = new();
    private readonly Func<ModelCall, ModelReply> _answer;
    private readonly WebApplication _app;

    private ModelServer(Func<ModelCall, ModelReply> answer)
    {
        _answer = answer;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options => options.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1));
        builder.Logging.ClearProviders();
        _app = builder.Build();
        _app.Run(HandleAsync);
    }

    /// <summary>As <c>ANTHROPIC_BASE_URL</c> has it.</summary>
    public string Url => _app.Urls.First();

    /// <summary>As <c>OPENAI_BASE_URL</c> has it.</summary>
    public string OpenAIUrl => $"{Url}/v1";

    /// <summary>The requests that were well-formed, in the order in which they came.</summary>
    public IReadOnlyList<ModelCall> Calls => [.. _calls];

    /// <summary>The requests that the real server would refuse.</summary>
    public IReadOnlyList<ModelCall> Refused => [.. _refused];

    /// <summary>Wants no key, as servers in one's own network do.</summary>
    public bool IsOpen { get; init; }

    public static async Task<ModelServer> StartAsync(Func<ModelCall, ModelReply> answer, bool isOpen = false)
    {
        var server = new ModelServer(answer) { IsOpen = isOpen };
        await server._app.StartAsync();
        return server;
    }

    /// <summary>Answers the same to everyone.</summary>
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
        var call = new ModelCall(wire, JsonElement.Parse(await reader.ReadToEndAsync()), context.Request.Headers.ToDictionary(it => it.Key, it => it.Value.ToString(), StringComparer.OrdinalIgnoreCase), _calls.Count);
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
        await context.Response.StartAsync(); // an answer without a piece has a head too
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

/// <summary>How an answer ends before it is whole.</summary>
public enum ModelEnding
{
    /// <summary>In good order, as if it were whole.</summary>
    Cut,

    /// <summary>The connection is reset.</summary>
    Reset,

    /// <summary>Nothing more comes, and the connection stays open.</summary>
    Stall,
}

/// <summary>One provider's way to be asked and to answer.</summary>
public interface IModelWire
{
    /// <summary>What the real server says to a request that is wrong; null where it is right.</summary>
    ModelReply? Refuse(ModelCall call, string? key);

    IEnumerable<string> Stream(ModelCall call, ModelReply reply);

    string Whole(ModelCall call, ModelReply reply);

    /// <summary>The system prompt.</summary>
    string System(JsonElement body);

    /// <summary>The texts of tool results that came after the newest answer, in order.</summary>
    IReadOnlyList<string> Results(JsonElement body);
}

/// <summary>A request.</summary>
/// <param name="Number">How many requests came before it.</param>
public sealed record ModelCall(IModelWire Wire, JsonElement Body, IReadOnlyDictionary<string, string> Headers, int Number)
{
    public bool IsStream => Body.TryGetProperty("stream", out var stream) && stream.GetBoolean();

    public IReadOnlyList<JsonElement> Messages => [.. Body.GetProperty("messages").EnumerateArray()];

    /// <summary>How many answers the conversation holds.</summary>
    public int Turn => Messages.Count(message => message.GetProperty("role").GetString() == "assistant");

    public string System => Wire.System(Body);

    public IReadOnlyList<string> Results => Wire.Results(Body);
}
