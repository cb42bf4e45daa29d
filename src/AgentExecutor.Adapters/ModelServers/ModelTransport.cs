using System.Net;
using System.Security.Authentication;
using AgentExecutor.Adapters.Http;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// Stands between a provider's SDK and the network. It puts in the key, which the SDK is never told, and takes out headers that the SDK found in the
/// environment; it turns refusals and failures into faults here, where their headers can still be read and before the SDK makes exceptions with unmasked texts.
/// </summary>
/// <param name="authorize">Puts the key into a request; not called where there is none.</param>
internal sealed class ModelTransport(
    HttpMessageHandler pool, ModelEndpoint endpoint, ModelFaults faults, Action<HttpRequestMessage, string> authorize, TimeProvider time) : DelegatingHandler(pool)
{
    /// <summary>What the SDKs are told in a key's place.</summary>
    public const string NoKey = "none";

    private const int LongestError = 64 * 1024;

    private static readonly string[] Kept = ["Accept", "User-Agent", "X-Stainless-Lang", "X-Stainless-Package-Version", "X-Stainless-OS", "X-Stainless-Arch", "X-Stainless-Runtime", "X-Stainless-Runtime-Version"];

    /// <summary>Headers of every request.</summary>
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
        foreach (var name in request.Headers.Select(header => header.Key).Except(Kept, StringComparer.OrdinalIgnoreCase).ToList())
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
            throw faults.Unavailable($"{endpoint.BaseUrl.Authority} took no connection in time");
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw exception.InnerException is PrivateAddressException or AuthenticationException || exception is PrivateAddressException
                ? faults.Unavailable($"{endpoint.BaseUrl.Authority} is not to be reached: {exception.InnerException?.Message ?? exception.Message}", isTransient: false)
                : faults.Unavailable($"{endpoint.BaseUrl.Authority} cannot be reached: {exception.Message}");
        }
    }

    private static async Task<string> ReadErrorAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            using var reader = new StreamReader(stream);
            var buffer = new char[LongestError];
            return new string(buffer, 0, await reader.ReadBlockAsync(buffer, cancellationToken));
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException)
        {
            return ""; // the status says enough
        }
    }
}
