using AgentExecutor.Core;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Threads;

namespace AgentExecutor.Server.Commands.Reports;

/// <summary>The directory of <c>--out</c>, to which the files that the agents wrote are saved.</summary>
internal static class OutDirectory
{
    /// <summary>Creates the directory before the run starts, so that an invalid one is reported early.</summary>
    /// <exception cref="FaultException">The directory cannot be created.</exception>
    public static void Check(string? directory)
    {
        try
        {
            _ = directory is null ? null : Directory.CreateDirectory(directory);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new FaultException(
                FaultCodes.InvalidInput,
                $"the directory '{directory}' cannot be created: {exception.Message}",
                "choose another directory with --out"
            );
        }
    }

    /// <summary>
    /// Saves the files that the agents wrote; unchanged mounted files are skipped. A file that cannot be saved is reported, but does not
    /// change the result of the run.
    /// </summary>
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
                    throw new IOException("its path points outside the directory");
                }
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.WriteAllText(target, file.Content);
                saved++;
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                Console.Error.WriteLine($"error: {path} could not be saved: {exception.Message}");
                CommandErrors.WriteHint($"print it with: agent-executor show {outcome.Run.ThreadId} --file {path}");
            }
        }
        if (saved > 0)
        {
            Console.Error.WriteLine($"saved {saved} file{(saved == 1 ? "" : "s")} to {directory}");
        }
    }
}
