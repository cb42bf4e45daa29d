using AgentExecutor.Core;
using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Server.Commands;

/// <summary>Where <c>--out</c> saves the files that agents wrote.</summary>
internal static class OutDirectory
{
    /// <summary>Makes the directory before the run, so that a wrong one costs nothing.</summary>
    /// <exception cref="FaultException">It cannot be made.</exception>
    public static void Check(string? directory)
    {
        try
        {
            _ = directory is null ? null : Directory.CreateDirectory(directory);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new FaultException(FaultCodes.InvalidInput, $"the directory '{directory}' cannot be made: {exception.Message}", "name another with --out");
        }
    }

    /// <summary>Saves what was written; mounted files that nobody changed are left out. Never throws: the run is over, and its answer stands.</summary>
    public static void Save(RunOutcome outcome, string directory)
    {
        var saved = 0;
        foreach (var (path, file) in outcome.State?.Get<FileTree>(FilesChannel.DefaultName)?.Entries ?? FileTree.Empty.Entries)
        {
            if (file.ModifiedAt == default)
            {
                continue;
            }
            try
            {
                var target = Path.GetFullPath(Path.Combine(directory, path.TrimStart('/')));
                if (!target.StartsWith(Path.GetFullPath(directory) + Path.DirectorySeparatorChar, StringComparison.Ordinal))
                {
                    throw new IOException("its path leads out of the directory");
                }
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.WriteAllText(target, file.Content);
                saved++;
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                Console.Error.WriteLine($"error: {path} could not be saved: {exception.Message}");
                CommandErrors.WriteHint($"it is in the thread still: agent-executor show {outcome.Run.ThreadId} --file {path}");
            }
        }
        if (saved > 0)
        {
            Console.Error.WriteLine($"saved {saved} file{(saved == 1 ? "" : "s")} to {directory}");
        }
    }
}
