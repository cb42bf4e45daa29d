using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>Decides whether a program that asks for the network gets it.</summary>
internal static class SandboxNetwork
{
    /// <summary>Throws if the operator does not allow it, or if this machine cannot limit it to the allowed hosts.</summary>
    /// <exception cref="FaultException">The network is refused.</exception>
    public static void ThrowIfRefused(SandboxSettings settings, SandboxState state)
    {
        if (settings.AllowedHosts.Trim().Length == 0)
        {
            throw new FaultException(
                FaultCodes.SandboxUnavailable,
                "programs in the sandbox may not use the network here",
                "set AGENT_EXECUTOR_SANDBOX_ALLOWED_HOSTS to the hosts that they may reach, or do not ask for the network"
            );
        }
        if (state.Level != SandboxLevel.Namespaces)
        {
            throw new FaultException(
                FaultCodes.SandboxUnavailable,
                $"programs in the sandbox cannot use the network, because the isolation '{SandboxState.NameOf(state.Level)}' "
                    + "of this machine cannot limit it to the allowed hosts",
                "use a machine on which bubblewrap works, or an http tool"
            );
        }
        if (EgressForwarder.FindPython() is null)
        {
            throw new FaultException(
                FaultCodes.SandboxUnavailable,
                "programs in the sandbox cannot use the network, because Python is not installed, which connects them",
                "install python3 on the machine of the service"
            );
        }
    }
}
