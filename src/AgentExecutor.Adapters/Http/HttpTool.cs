using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs.Definitions;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters.Http;

/// <summary>
/// Sends the arguments to a URL, as a JSON body or, with GET and DELETE, in the query. <c>Idempotency-Key</c> is the same for every attempt at one call,
/// also after a crash. A transient failure is tried again unless each call has its effect.
/// </summary>
internal sealed class HttpTool(ToolDefinition definition, HttpToolSettings settings, HttpClient client, TimeProvider time) : Tool
{
    private static readonly JsonElement AnyObject = JsonElement.Parse("""{"type": "object"}""");

    private readonly ToolRuntimeDefinition _runtime = definition.Runtime!;
    private readonly HttpMethod _method = new((definition.Runtime!.Method ?? "POST").ToUpperInvariant());

    public override string Name => definition.Name;

    public override string Description => definition.Description ?? "";

    public override JsonElement Parameters => definition.Parameters ?? AnyObject;

    public override ToolEffects Effects => definition.Effects switch
    {
        "once" => ToolEffects.Once,
        "idempotent" => ToolEffects.Idempotent,
        _ => ToolEffects.None,
    };

    public override async ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        var retry = Effects == ToolEffects.Once ? RetryPolicy.None : RetryPolicy.Standard;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await SendAsync(arguments, context.IdempotencyKey, cancellationToken);
            }
            catch (Exception exception) when (exception is HttpRequestException or TimeoutException)
            {
                if (!retry.Allows(exception, attempt))
                {
                    return ToolResult.Error(Effects == ToolEffects.Once
                        ? $"Error: the call of {Name} broke off: {exception.Message}. Nobody knows whether it took effect: find out before you call it again."
                        : $"Error: {Name} cannot be reached: {exception.Message}");
                }
                await Task.Delay(retry.DelayAfter(attempt, exception, Random.Shared.NextDouble()), time, cancellationToken);
            }
        }
    }

    private async Task<ToolResult> SendAsync(JsonElement arguments, string idempotencyKey, CancellationToken cancellationToken)
    {
        var limit = TimeSpan.FromSeconds(_runtime.TimeoutSeconds ?? settings.TimeoutSeconds);
        using var deadline = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            using var request = Request(arguments, idempotencyKey);
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            var body = await ReadAsync(response, either.Token);
            if (response.StatusCode is HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError)
            {
                throw new HttpRequestException($"it answered {(int)response.StatusCode}: {body}");
            }
            return response.IsSuccessStatusCode ? body : ToolResult.Error($"Error: {Name} answered {(int)response.StatusCode} {response.ReasonPhrase}: {body}");
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            // the deadline, or the handler's own limit for connecting
            throw new TimeoutException(deadline.IsCancellationRequested ? $"no answer within {limit.TotalSeconds:0.###} s" : "no connection in time", exception);
        }
    }

    private HttpRequestMessage Request(JsonElement arguments, string idempotencyKey)
    {
        var inQuery = _method == HttpMethod.Get || _method == HttpMethod.Delete;
        var request = new HttpRequestMessage(_method, inQuery ? WithQuery(_runtime.Url!, arguments) : _runtime.Url);
        if (!inQuery)
        {
            request.Content = new ByteArrayContent(JsonBytes.Of(arguments)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        }
        request.Headers.TryAddWithoutValidation("Idempotency-Key", idempotencyKey);
        foreach (var (name, value) in _runtime.Headers ?? new Dictionary<string, string>())
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        return request;
    }

    private static string WithQuery(string url, JsonElement arguments)
    {
        var query = string.Join('&', arguments.EnumerateObject().Select(argument =>
            $"{Uri.EscapeDataString(argument.Name)}={Uri.EscapeDataString(JsonBytes.Display(argument.Value))}"));
        return query.Length == 0 ? url : $"{url}{(url.Contains('?', StringComparison.Ordinal) ? '&' : '?')}{query}";
    }

    private async Task<string> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        using var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        int read;
        while (body.Length < settings.MaxResponseBytes && (read = await stream.ReadAsync(buffer, cancellationToken)) > 0)
        {
            body.Write(buffer, 0, read);
        }
        var text = Encoding.UTF8.GetString(body.GetBuffer(), 0, (int)body.Length);
        return body.Length >= settings.MaxResponseBytes ? $"{text}\n(the answer is longer than {body.Length} bytes and was cut off)" : text;
    }
}
