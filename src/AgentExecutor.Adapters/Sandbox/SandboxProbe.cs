using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>Finds the strongest isolation that works by starting a trivial program with each.</summary>
internal static class SandboxProbe
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public static async Task<SandboxState> FindAsync(ProcessSandbox sandbox, SandboxLevel highest)
    {
        var missing = new List<string>();
        for (var level = highest; level > SandboxLevel.None; level--)
        {
            if (await TryAsync(sandbox, level) is not { } reason)
            {
                return new SandboxState(level, missing) { HasCgroups = sandbox.HasCgroups };
            }
            missing.Add(reason);
        }
        return new SandboxState(SandboxLevel.None, missing);
    }

    /// <summary>Returns null if the level works, and otherwise why it does not.</summary>
    private static async Task<string?> TryAsync(ProcessSandbox sandbox, SandboxLevel level)
    {
        if (!OperatingSystem.IsLinux())
        {
            return $"the level {SandboxState.NameOf(level)} needs Linux";
        }
        if (level == SandboxLevel.Namespaces && Bubblewrap.Find() is null)
        {
            return "bubblewrap is not installed";
        }
        try
        {
            using var limit = new CancellationTokenSource(Limit);
            await using var process = await sandbox.StartAtAsync(level, new SandboxRequest("true", []), limit.Token);
            using var errors = new StreamReader(process.StandardError);
            var text = await errors.ReadToEndAsync(limit.Token);
            var code = await process.Exit.WaitAsync(limit.Token);
            return code == 0 ? null : $"{(level == SandboxLevel.Namespaces ? "bubblewrap" : "the sandbox")} failed: {text.Trim()}";
        }
        catch (Exception exception) when (exception is FaultException or IOException)
        {
            return exception.Message;
        }
        catch (OperationCanceledException)
        {
            return $"the level {SandboxState.NameOf(level)} did not start a program within {Limit.TotalSeconds} seconds";
        }
    }
}
