using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>Finds the file of a program.</summary>
internal static class SandboxPrograms
{
    /// <summary>Returns the path of the program, which may be anywhere that it can read.</summary>
    /// <exception cref="FaultException">There is no such program.</exception>
    public static string Find(string program, IReadOnlyList<string> readable)
    {
        if (!program.Contains('/', StringComparison.Ordinal))
        {
            return Array.Find([.. SystemPaths.Programs.Select(folder => Path.Combine(folder, program))], File.Exists)
                ?? throw Missing($"the program '{program}' is not installed in {string.Join(", ", SystemPaths.Programs)}");
        }
        if (!File.Exists(program))
        {
            throw Missing($"the program '{program}' does not exist");
        }
        return IsReadable(program, readable)
            ? program
            : throw Missing(
                $"the program '{program}' is outside of the folders that the sandbox shows",
                "add its folder to AGENT_EXECUTOR_SANDBOX_READABLE_PATHS"
            );
    }

    private static bool IsReadable(string program, IReadOnlyList<string> readable) =>
        SystemPaths
            .Folders.Concat(SystemPaths.RootFolders)
            .Concat(readable)
            .Any(folder => program == folder || program.StartsWith(folder.TrimEnd('/') + "/", StringComparison.Ordinal));

    private static FaultException Missing(string message, string? hint = null) =>
        new(FaultCodes.SandboxUnavailable, message, hint ?? "install it on the machine of the service");
}
