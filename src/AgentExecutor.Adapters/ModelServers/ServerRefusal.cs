using AgentExecutor.Core;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>A server's refusal with what it said: some are met by asking in another way.</summary>
internal sealed class ServerRefusal(ServerError error, string code, string message, string? hint) : FaultException(code, message, hint)
{
    public ServerError Error => error;
}
