using AgentExecutor.Core;
using AgentExecutor.Core.Recording;

namespace AgentExecutor.Server.Commands.Recordings;

/// <summary>Opens recording files.</summary>
internal static class RecordingFile
{
    /// <summary>
    /// Opens a file to append exchanges, and prevents other processes from writing it. An incomplete last line is removed.
    /// </summary>
    /// <param name="mayAppend">Whether the file may already contain exchanges.</param>
    /// <exception cref="FaultException">The file cannot be created, is not a recording, or already contains exchanges.</exception>
    public static async Task<FileStream> OpenAsync(string path, bool mayAppend, CancellationToken cancellationToken)
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
            if (held.All.Count > 0 && !mayAppend)
            {
                throw new FaultException(
                    FaultCodes.InvalidInput,
                    $"'{path}' already contains a recording with {held.All.Count} exchanges",
                    "delete it, or specify another file; only 'resume --record' appends to a recording"
                );
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

    /// <exception cref="FaultException">The file cannot be read, or is not a recording.</exception>
    public static async Task<RecordedExchanges> ReadAsync(string path, CancellationToken cancellationToken)
    {
        await using var file = Open(path, FileMode.Open, FileAccess.Read);
        return await RecordingReader.ReadAsync(file, path, cancellationToken);
    }

    /// <summary>Ensures that the next exchange starts on a new line. An editor may have removed the last line break.</summary>
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
            // Unbuffered, so that exchanges that were written survive a kill of the process.
            return new FileStream(
                path,
                mode,
                access,
                access == FileAccess.Read ? FileShare.ReadWrite : FileShare.Read,
                bufferSize: 0,
                useAsync: false
            );
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new FaultException(
                FaultCodes.InvalidInput,
                $"the recording '{path}' cannot be opened: {exception.Message}",
                access == FileAccess.Read
                    ? "specify a file written by --record"
                    : "specify a file in an existing directory that no other program is writing",
                exception
            );
        }
    }
}
