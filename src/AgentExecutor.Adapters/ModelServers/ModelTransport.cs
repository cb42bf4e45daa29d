using System.Net;
using System.Security.Authentication;
using AgentExecutor.Adapters.Connections;
using AgentExecutor.Adapters.Egress;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// Connects a provider's SDK to the network. It adds the key, which the SDK never sees, and removes headers that the SDK read from the
/// environment. It converts refusals and failures to faults while their headers can still be read, and before the SDK creates exceptions
/// with unmasked texts.
/// </summary>
/// <param name="pool">The connection pool.</param>
/// <param name="endpoint">The endpoint.</param>
/// <param name="faults">Creates the faults.</param>
/// <param name="authorize">Adds the key to a request. It is not called if there is no key.</param>
/// <param name="time">The source of time.</param>
internal sealed class ModelTransport(
    HttpMessageHandler pool,
    ModelEndpoint endpoint,
    ModelFaults faults,
    Action<HttpRequestMessage, string> authorize,
    TimeProvider time
) : DelegatingHandler(pool)
{
    /// <summary>The placeholder that the SDKs receive instead of a key.</summary>
    public const string NoKey = "none";

    private const int MaxErrorLength = 64 * 1024;

    private static readonly string[] KeptHeaders =
    [
        "Accept",
        "User-Agent",
        "X-Stainless-Lang",
        "X-Stainless-Package-Version",
        "X-Stainless-OS",
        "X-Stainless-Arch",
        "X-Stainless-Runtime",
        "X-Stainless-Runtime-Version",
    ];

    /// <summary>Headers that every request has.</summary>
    public IReadOnlyDictionary<string, string> Fixed { get; init; } = new Dictionary<string, string>();

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Prepare(request);
        var response = await ExchangeAsync(request, cancellationToken);
        try
        {
            if (!response.IsSuccessStatusCode)
            {
                var error = ServerError.OfBody((int)response.StatusCode, await ReadErrorAsync(response, cancellationToken));
                throw faults.Of(error, RetryAfterHeader.Read(response.Headers, time.GetUtcNow()));
            }
            var content = new StreamContent(new AnswerStream(await response.Content.ReadAsStreamAsync(cancellationToken), faults));
            content.Headers.ContentType = response.Content.Headers.ContentType;
            response.Content = content;
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    private void Prepare(HttpRequestMessage request)
    {
        foreach (var name in request.Headers.Select(header => header.Key).Except(KeptHeaders, StringComparer.OrdinalIgnoreCase).ToList())
        {
            request.Headers.Remove(name);
        }
        foreach (var (name, value) in Fixed)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        if (endpoint.Key.IsSet)
        {
            authorize(request, endpoint.Key.Value!);
        }
        (request.Version, request.VersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionOrLower);
    }

    private async Task<HttpResponseMessage> ExchangeAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return await base.SendAsync(request, cancellationToken);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw faults.Unavailable($"the connection to {endpoint.BaseUrl.Authority} timed out");
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw exception.InnerException is EgressException or AuthenticationException || exception is EgressException
                ? faults.Unavailable(
                    $"connecting to {endpoint.BaseUrl.Authority} is not possible: {exception.InnerException?.Message ?? exception.Message}",
                    isTransient: false
                )
                : faults.Unavailable($"{endpoint.BaseUrl.Authority} cannot be reached: {exception.Message}");
        }
    }

    private static async Task<string> ReadErrorAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            using var reader = new StreamReader(stream);
            var buffer = new char[MaxErrorLength];
            return new string(buffer, 0, await reader.ReadBlockAsync(buffer, cancellationToken));
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException)
        {
            // The status is sufficient.
            return "";
        }
    }
}
