using AgentExecutor.Core;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>A server's refusal with what it said: some are met by asking in another way.</summary>
/// <param name="error">Its own words, unmasked: for decisions, never to be told. The message is what may be told.</param>
/// <param name="code">One of <see cref="FaultCodes"/>.</param>
/// <param name="message">What happened, without keys.</param>
/// <param name="hint">How to mend it.</param>
internal sealed class ServerRefusal(ServerError error, string code, string message, string? hint) : FaultException(code, message, hint)
{
    public ServerError Error => error;
}
