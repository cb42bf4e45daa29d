using AgentExecutor.Adapters.Sandbox;
using AgentExecutor.Core;

namespace AgentExecutor.Adapters;

/// <content>The sandbox of programs.</content>
public static partial class AdapterCatalog
{
    /// <summary>
    /// Becomes a program in the sandbox, as the policy on standard input says. Only returns, with an exit code, if that is not possible.
    /// </summary>
    public static int SandboxExec() => Sandbox.SandboxExec.Run();

    /// <summary>Returns the isolation of programs on this machine in one line, and whether it is what the settings require.</summary>
    public static async Task<(string Description, bool IsEnough)> CheckSandboxAsync(
        SandboxSettings settings,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        await using var sandbox = new ProcessSandbox(settings, time);
        var state = await sandbox.StateAsync(cancellationToken);
        return (state.Describe(), state.Level >= SandboxSettingsCheck.LevelOf(settings.Minimum));
    }

    /// <summary>Runs a program in the sandbox, with the input and output of this process. Returns its exit code.</summary>
    /// <exception cref="FaultException">The program does not exist, or the machine does not provide the required isolation.</exception>
    public static async Task<int> RunInSandboxAsync(
        SandboxSettings settings,
        SandboxCommandSettings command,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        await using var sandbox = new ProcessSandbox(settings, time);
        return await SandboxCommand.RunAsync(sandbox, command, cancellationToken);
    }

    /// <summary>Returns all faults in the settings.</summary>
    public static IEnumerable<SettingFault> Check(SandboxSettings settings) => SandboxSettingsCheck.Check(settings);
}
