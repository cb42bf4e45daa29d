using AgentExecutor.Core;

namespace AgentExecutor.Server.Commands.Remote;

/// <summary>Sends HTTP requests to a service, and turns failures and error responses into exceptions.</summary>
internal sealed class ServiceClient(Uri url) : IDisposable
{
    private readonly HttpClient _http = new() { BaseAddress = url };

    /// <summary>Returns a successful response.</summary>
    /// <exception cref="FaultException">The service cannot be reached (transient), or it rejects the request.</exception>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        HttpResponseMessage response;
        try
        {
            response = await _http.SendAsync(request, cancellationToken);
        }
        catch (HttpRequestException exception)
        {
            throw ServiceResponses.Unreachable(url, exception);
        }
        if (response.IsSuccessStatusCode)
        {
            return response;
        }
        using (response)
        {
            throw await ServiceResponses.ReadFaultAsync(response, cancellationToken);
        }
    }

    public void Dispose() => _http.Dispose();
}
