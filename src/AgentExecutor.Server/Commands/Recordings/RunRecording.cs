using AgentExecutor.Core;
using AgentExecutor.Core.Recording;

namespace AgentExecutor.Server.Commands.Recordings;

/// <summary>The recording that a command writes or replays, if any. Reports go to standard error.</summary>
internal abstract class RunRecording : IAsyncDisposable
{
    /// <summary>Null if there is no recording.</summary>
    public virtual ICallInterceptor? Tap => null;

    /// <summary>Opens the recording that the options name.</summary>
    /// <param name="secrets">The values that must not be recorded: the secrets of all settings, including those that this run does not
    /// use.</param>
    /// <param name="record">The file to write, or null.</param>
    /// <param name="replay">The file to replay, or null.</param>
    /// <param name="mayAppend">True if the run may be appended to an existing recording.</param>
    /// <param name="cancellationToken">Cancels reading the file.</param>
    /// <exception cref="FaultException">The file cannot be read or written, is not a recording, or already contains one.</exception>
    public static async Task<RunRecording> OpenAsync(
        IEnumerable<string> secrets,
        string? record,
        string? replay,
        bool mayAppend,
        CancellationToken cancellationToken
    )
    {
        var redaction = new Redaction(secrets);
        if (record is not null)
        {
            return new WrittenRecording(record, await RecordingFile.OpenAsync(record, mayAppend, cancellationToken), redaction);
        }
        return replay is null ? new NoRecording() : await ReplayedRecording.OpenAsync(replay, redaction, cancellationToken);
    }

    /// <summary>Reports what was recorded or replayed, after the run has ended or stopped.</summary>
    public virtual void Report()
    {
        // nothing to report without a recording
    }

    public abstract ValueTask DisposeAsync();

    private static string Exchanges(int count) => $"{count} exchange{(count == 1 ? "" : "s")}";

    private sealed class NoRecording : RunRecording
    {
        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class WrittenRecording(string path, FileStream file, Redaction redaction) : RunRecording
    {
        private readonly RecordingWriter _writer = new(file, path);

        public override ICallInterceptor Tap => new Recorder(_writer, redaction);

        public override void Report() => Console.Error.WriteLine($"recorded {Exchanges(_writer.Count)} in {path}");

        public override async ValueTask DisposeAsync()
        {
            _writer.Dispose();
            await file.DisposeAsync();
        }
    }

    private sealed class ReplayedRecording(string path, ReplayIndex index, Redaction redaction) : RunRecording
    {
        public override ICallInterceptor Tap => new Replayer(index, redaction, path);

        public static async Task<RunRecording> OpenAsync(string path, Redaction redaction, CancellationToken cancellationToken)
        {
            var recorded = await RecordingFile.ReadAsync(path, cancellationToken);
            Console.Error.WriteLine($"replaying {path} with {Exchanges(recorded.All.Count)}: models and external tools are not called");
            if (recorded.IsCutOff)
            {
                Console.Error.WriteLine("warning: the last line is incomplete and is skipped; the recording process was killed");
            }
            return new ReplayedRecording(path, new ReplayIndex(recorded.All), redaction);
        }

        public override void Report() =>
            Console.Error.WriteLine($"replayed {Exchanges(index.Used)} of {path}, {index.Count - index.Used} unused");

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
