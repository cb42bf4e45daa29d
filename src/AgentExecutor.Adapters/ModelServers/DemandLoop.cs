namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// Sends a request, and repeats it at once in another form if the server's refusal shows which form it requires. A form that led to an
/// answer is remembered.
/// </summary>
internal sealed class DemandLoop(ServerDemands demands, Uri server)
{
    /// <summary>The maximum number of forms to try, for servers that reject everything.</summary>
    private const int MaxForms = 8;

    /// <param name="model">The model to ask.</param>
    /// <param name="ask">Sends the request in the form that the demands require.</param>
    /// <param name="demandIn">Returns the demands in a refusal, given those already known.</param>
    public async Task<T> AskAsync<T>(string model, Func<ServerDemand, Task<T>> ask, Func<ServerError, ServerDemand, ServerDemand> demandIn)
    {
        var known = demands.Of(server, model);
        var tried = known;
        for (var forms = 1; ; forms++)
        {
            try
            {
                var answer = await ask(tried);
                if (tried != known)
                {
                    demands.Learn(server, model, tried);
                }
                return answer;
            }
            catch (ServerRefusal refusal) when (forms < MaxForms && (demandIn(refusal.Error, tried) & ~tried) != ServerDemand.None)
            {
                tried |= demandIn(refusal.Error, tried);
            }
        }
    }
}
