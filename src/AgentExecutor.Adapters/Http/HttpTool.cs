using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters.Http;

/// <summary>
/// Sends the arguments to a URL, as a JSON body or, with GET and DELETE, in the query. <c>Idempotency-Key</c> is the same for every attempt
/// of a call, even after a crash. Transient failures are retried, unless every call of the tool takes effect.
/// </summary>
internal sealed class HttpTool(ToolDefinition definition, HttpToolSettings settings, HttpClient client, TimeProvider time) : Tool
{
    private static readonly JsonElement AnyObject = StoredJson.Parse("""{"type": "object"}""");

    private readonly ToolRuntimeDefinition _runtime = definition.Runtime!;
    private readonly KeyValuePair<string, string>[] _headers = [.. HeadersOf(definition, settings)];
    private readonly string[] _secrets = SecretsOf(definition, settings);
    private readonly HttpMethod _method = new((definition.Runtime!.Method ?? "POST").ToUpperInvariant());

    public override string Name => definition.Name;

    public override string Description => definition.Description ?? "";

    public override JsonElement Parameters => definition.Parameters ?? AnyObject;

    public override ToolEffects Effects =>
        definition.Effects switch
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
                    return ToolResult.Error(
                        Effects == ToolEffects.Once
                            ? $"Error: the call of {Name} failed: {exception.Message}. It is unknown whether it took effect. "
                                + "Find out before you call it again."
                            : $"Error: {Name} cannot be reached: {exception.Message}"
                    );
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
                throw new HttpRequestException(Masked($"it returned status {(int)response.StatusCode}: {body}"));
            }
            return response.IsSuccessStatusCode
                ? Masked(body)
                : ToolResult.Error(
                    Masked(
                        $"Error: {Name} returned status {(int)response.StatusCode} {response.ReasonPhrase}: {body}{Redirected(response)}"
                    )
                );
        }
        catch (HttpAnswerException exception)
        {
            return ToolResult.Error(Masked($"Error: {Name} was called, but {exception.Message}."));
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            // Either the deadline has passed, or the handler's own limit for connecting.
            throw new TimeoutException(
                deadline.IsCancellationRequested ? $"no answer within {limit.TotalSeconds:0.###} s" : "no connection in time",
                exception
            );
        }
    }

    private HttpRequestMessage Request(JsonElement arguments, string idempotencyKey)
    {
        var inQuery = _method == HttpMethod.Get || _method == HttpMethod.Delete;
        var request = new HttpRequestMessage(_method, inQuery ? WithQuery(_runtime.Url!, arguments) : _runtime.Url);
        if (!inQuery)
        {
            request.Content = new ByteArrayContent(JsonBytes.Of(arguments))
            {
                Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
            };
        }
        request.Headers.TryAddWithoutValidation("Idempotency-Key", idempotencyKey);
        foreach (var (name, value) in _headers)
        {
            // Content-Type and similar headers belong to the content.
            if (!request.Headers.TryAddWithoutValidation(name, value) && request.Content?.Headers is { } contentHeaders)
            {
                contentHeaders.Remove(name);
                contentHeaders.TryAddWithoutValidation(name, value);
            }
        }
        if (request.Headers.AcceptEncoding.Count == 0)
        {
            request.Headers.TryAddWithoutValidation("Accept-Encoding", HttpAnswer.AcceptedEncodings);
        }
        return request;
    }

    private static IEnumerable<KeyValuePair<string, string>> HeadersOf(ToolDefinition definition, HttpToolSettings settings)
    {
        foreach (var (name, value) in definition.Runtime!.Headers ?? new Dictionary<string, JsonElement>())
        {
            if (ToolHeader.TryRead(value, out var header))
            {
                yield return KeyValuePair.Create(name, header.Text + SecretOf(header, settings));
            }
        }
    }

    private static string[] SecretsOf(ToolDefinition definition, HttpToolSettings settings) =>
        [
            .. (definition.Runtime!.Headers?.Values ?? [])
                .Select(value => ToolHeader.TryRead(value, out var header) ? SecretOf(header, settings) : "")
                .Where(secret => secret.Length > 0)
                .Distinct(),
        ];

    /// <summary>
    /// Returns the secret of a header. It is empty if the header has none, or if the secret is not set; in the latter case the tool can be
    /// inspected, but its agent cannot be run.
    /// </summary>
    private static string SecretOf(ToolHeader header, HttpToolSettings settings) =>
        header.Secret is { } name && settings.Secrets().TryGetValue(name, out var secret) ? secret.Value ?? "" : "";

    /// <summary>
    /// Removes secrets from an answer before it is stored and shown, because some servers repeat the headers that they receive.
    /// </summary>
    private string Masked(string text) =>
        _secrets.Aggregate(text, (masked, secret) => masked.Replace(secret, "***", StringComparison.Ordinal));

    /// <summary>
    /// Describes a redirect. Redirects are not followed, because they could lead to a host that tools are not allowed to access.
    /// </summary>
    private static string Redirected(HttpResponseMessage response) =>
        response.Headers.Location is { } location ? $" (to {location}; redirects are not followed)" : "";

    private static string WithQuery(string url, JsonElement arguments)
    {
        var query = string.Join(
            '&',
            arguments
                .EnumerateObject()
                .Select(argument => $"{Uri.EscapeDataString(argument.Name)}={Uri.EscapeDataString(JsonBytes.Display(argument.Value))}")
        );
        return query.Length == 0 ? url : $"{url}{(url.Contains('?', StringComparison.Ordinal) ? '&' : '?')}{query}";
    }

    private async Task<string> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await HttpAnswer.ReadAsync(response, settings.MaxResponseBytes, cancellationToken);
            var text = answer.Bytes.IsEmpty ? "" : AnswerText.Read(answer, ContentTypeOf(response));
            return answer.IsCut ? $"{text}\n(the answer is longer than {answer.Bytes.Length} bytes and was cut off)" : text;
        }
        catch (HttpAnswerException exception) when (!response.IsSuccessStatusCode)
        {
            // The status is reported together with this message.
            return exception.Message;
        }
    }

    /// <summary>Returns the content type; null if there is none, or if it is invalid.</summary>
    private static MediaTypeHeaderValue? ContentTypeOf(HttpResponseMessage response) =>
        response.Content.Headers.NonValidated.TryGetValues("Content-Type", out var values)
        && MediaTypeHeaderValue.TryParse(values.ToString(), out var type)
            ? type
            : null;
}
