using AgentExecutor.Core;
using AgentExecutor.Core.Recording;

namespace AgentExecutor.Server.Commands.Recordings;

/// <summary>Opens files with recordings.</summary>
internal static class RecordingFile
{
    /// <summary>Opens a file to write exchanges behind what it holds; nobody else may write it. An unfinished last line is taken away.</summary>
    /// <param name="mayGoOn">It may hold exchanges already.</param>
    /// <exception cref="FaultException">It cannot be made, is something else than a recording, or holds exchanges and may not.</exception>
    public static async Task<FileStream> OpenAsync(string path, bool mayGoOn, CancellationToken cancellationToken)
    {
        var file = Open(path, FileMode.OpenOrCreate, FileAccess.ReadWrite);
        try
        {
            if (file.Length == 0)
            {
                await file.WriteAsync(RecordingFormat.Header, cancellationToken);
                return file;
            }
            var held = await RecordingReader.ReadAsync(file, path, cancellationToken);
            if (held.All.Count > 0 && !mayGoOn)
            {
                throw new FaultException(
                    FaultCodes.InvalidInput, $"'{path}' holds a recording of {held.All.Count} exchanges already", "delete it, or name another file; 'resume --record' goes on with one");
            }
            await EndLastLineAsync(file, held, cancellationToken);
            return file;
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }
    }

    /// <exception cref="FaultException">It cannot be read, or is no recording.</exception>
    public static async Task<RecordedExchanges> ReadAsync(string path, CancellationToken cancellationToken)
    {
        await using var file = Open(path, FileMode.Open, FileAccess.Read);
        return await RecordingReader.ReadAsync(file, path, cancellationToken);
    }

    /// <summary>Puts the next line on a line of its own: behind the last whole one, to which an editor may have left no line break.</summary>
    private static async Task EndLastLineAsync(FileStream file, RecordedExchanges held, CancellationToken cancellationToken)
    {
        if (held.IsCutOff)
        {
            file.SetLength(held.WholeBytes);
        }
        var needsBreak = file.Length > held.WholeBytes;
        file.Seek(0, SeekOrigin.End);
        if (needsBreak)
        {
            await file.WriteAsync("\n"u8.ToArray(), cancellationToken);
        }
    }

    private static FileStream Open(string path, FileMode mode, FileAccess access)
    {
        try
        {
            // No buffer: what is written has left the process, and a kill cannot take it back.
            return new FileStream(path, mode, access, access == FileAccess.Read ? FileShare.ReadWrite : FileShare.Read, bufferSize: 0, useAsync: false);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new FaultException(
                FaultCodes.InvalidInput, $"the recording '{path}' cannot be opened: {exception.Message}",
                access == FileAccess.Read ? "name a file that --record made" : "name a file in a directory that exists, which no other program writes", exception);
        }
    }
}
