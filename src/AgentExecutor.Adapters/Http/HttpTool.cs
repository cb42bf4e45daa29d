using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using AgentExecutor.Adapters.Connections;
using AgentExecutor.Adapters.Egress;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters.Http;

/// <summary>
/// Sends an HTTP request for each call. <c>Idempotency-Key</c> is the same for every attempt of a call, even after a crash. A failure is
/// transient, so that the call may be repeated, if the request was not sent, if the server asks for a later attempt, or if the request can
/// safely be repeated.
/// </summary>
internal sealed class HttpTool : Tool
{
    private readonly ToolDefinition _definition;
    private readonly HttpToolSettings _settings;
    private readonly HttpClient _client;
    private readonly TimeProvider _time;
    private readonly HttpToolRequest _request;
    private readonly string[] _secrets;

    public HttpTool(ToolDefinition definition, HttpToolSettings settings, HttpClient client, TimeProvider time)
    {
        (_definition, _settings, _client, _time) = (definition, settings, client, time);
        _request = new HttpToolRequest(definition, settings);
        // A secret in a query is percent-encoded.
        _secrets = [.. _request.Secrets.SelectMany(secret => (string[])[secret, Uri.EscapeDataString(secret)]).Distinct()];
        Parameters = definition.Parameters ?? ParametersOf(definition);
        Policy = new ToolPolicy { Retry = RetryPolicy.Standard };
    }

    public override string Name => _definition.Name;

    public override string Description => _definition.Description ?? "";

    public override JsonElement Parameters { get; }

    public override ToolEffects Effects =>
        _definition.Effects switch
        {
            "once" => ToolEffects.Once,
            "idempotent" => ToolEffects.Idempotent,
            _ => ToolEffects.None,
        };

    /// <summary>
    /// True if a request whose outcome is unknown can be sent again: if the author says so, or by the meaning of the method.
    /// </summary>
    private bool IsRepeatable =>
        Effects != ToolEffects.Once
        && (_definition.StatesEffects || (_request.Method != HttpMethod.Post && _request.Method != HttpMethod.Patch));

    public override async ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        var limit = TimeSpan.FromSeconds(_definition.Runtime!.TimeoutSeconds ?? _settings.TimeoutSeconds);
        using var deadline = new CancellationTokenSource(limit, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            return await SendAsync(arguments, context.IdempotencyKey, either.Token);
        }
        catch (UnsendableArgumentException exception)
        {
            return ToolResult.Error($"Error: {exception.Message}. Correct the arguments and call again.");
        }
        catch (HttpAnswerException exception)
        {
            return ToolResult.Error(Masked($"Error: {Name} was called, but {exception.Message}."));
        }
        catch (HttpRequestException exception) when (EgressException.Of(exception) is { } refused)
        {
            return ToolResult.Error(Masked($"Error: {Name} cannot be called: {refused.Message}."));
        }
        catch (HttpRequestException exception)
        {
            return Unreachable(exception.Message, WasNotSent(exception));
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            // Either the deadline has passed, or the handler's own limit for connecting.
            return deadline.IsCancellationRequested
                ? Unreachable($"no answer within {limit.TotalSeconds:0.###} s", false)
                : Unreachable($"no connection in time: {exception.Message}", true);
        }
    }

    private async Task<ToolResult> SendAsync(JsonElement arguments, string idempotencyKey, CancellationToken cancellationToken)
    {
        using var request = _request.Create(arguments, idempotencyKey);
        using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        var body = await ReadAsync(response, cancellationToken);
        if (response.StatusCode is HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError)
        {
            return Failed(response, body);
        }
        return response.IsSuccessStatusCode
            ? Masked(body)
            : ToolResult.Error(
                Masked($"Error: {Name} returned status {(int)response.StatusCode} {response.ReasonPhrase}: {body}{Redirected(response)}")
            );
    }

    /// <summary>
    /// Reports that the server is overloaded or failed. If it asks for a later attempt, it did not execute the request.
    /// </summary>
    private ToolResult Failed(HttpResponseMessage response, string body)
    {
        var wait = RetryAfterHeader.Read(response.Headers, _time.GetUtcNow());
        var isRefusal =
            response.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable
            && response.Headers.Contains("Retry-After");
        return Unreachable($"it returned status {(int)response.StatusCode}: {body}", isRefusal) with { RetryAfter = wait };
    }

    private ToolResult Unreachable(string reason, bool hadNoEffect) =>
        ToolResult.Error(
            Masked(
                hadNoEffect || IsRepeatable
                    ? $"Error: {Name} cannot be reached: {reason}"
                    : $"Error: the call of {Name} failed: {reason}. It is unknown whether it took effect. "
                        + "Find out before you call it again."
            )
        ) with
        {
            IsTransient = hadNoEffect || IsRepeatable,
        };

    /// <summary>Returns true if the connection failed before the request was sent.</summary>
    private static bool WasNotSent(HttpRequestException exception) =>
        exception.HttpRequestError
            is HttpRequestError.NameResolutionError
                or HttpRequestError.ConnectionError
                or HttpRequestError.SecureConnectionError
                or HttpRequestError.ProxyTunnelError;

    /// <summary>Derives the schema of the arguments from the templates, if the definition has none: each argument is a text.</summary>
    private static JsonElement ParametersOf(ToolDefinition definition) =>
        JsonBytes.Element(
            definition.Runtime!,
            static (writer, runtime) =>
            {
                writer.WriteStartObject();
                writer.WriteString("type"u8, "object"u8);
                writer.WriteStartObject("properties"u8);
                foreach (var name in HttpToolRequest.NamesIn(runtime))
                {
                    writer.WriteStartObject(name);
                    writer.WriteString("type"u8, "string"u8);
                    writer.WriteEndObject();
                }
                writer.WriteEndObject();
                writer.WriteStartArray("required"u8);
                foreach (var name in UrlTemplate.TryParse(runtime.Url)?.RequiredNames ?? [])
                {
                    writer.WriteStringValue(name);
                }
                writer.WriteEndArray();
                writer.WriteEndObject();
            }
        );

    /// <summary>
    /// Removes secrets from an answer before it is stored and shown, because some servers repeat the headers that they receive.
    /// </summary>
    private string Masked(string text) =>
        _secrets.Aggregate(text, (masked, secret) => masked.Replace(secret, "***", StringComparison.Ordinal));

    /// <summary>Describes a redirect that was not followed.</summary>
    private static string Redirected(HttpResponseMessage response) =>
        response.Headers.Location is { } location ? $" (to {location}; redirects are not followed)" : "";

    private async Task<string> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (_request.Method == HttpMethod.Head)
        {
            var headers = response.Headers.NonValidated.Concat(response.Content.Headers.NonValidated);
            return string.Join('\n', headers.Select(header => $"{header.Key}: {header.Value}"));
        }
        try
        {
            var answer = await HttpAnswer.ReadAsync(response, _settings.MaxResponseBytes, cancellationToken);
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
