using AgentExecutor.Core;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>A server's refusal with the original error, because some refusals can be resolved by asking in another form.</summary>
/// <param name="error">The original error, unmasked. It is used for decisions only and must not be shown.</param>
/// <param name="code">One of <see cref="FaultCodes"/>.</param>
/// <param name="message">What happened, without keys.</param>
/// <param name="hint">How to fix it.</param>
internal sealed class ServerRefusal(ServerError error, string code, string message, string? hint) : FaultException(code, message, hint)
{
    public ServerError Error => error;
}
