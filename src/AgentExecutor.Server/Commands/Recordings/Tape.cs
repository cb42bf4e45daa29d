using AgentExecutor.Core;
using AgentExecutor.Core.Recording;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Server.Commands.Recordings;

/// <summary>The recording that a command writes or answers from, open; or none. What it tells goes to standard error.</summary>
internal abstract class Tape : IAsyncDisposable
{
    /// <summary>Null where there is no recording.</summary>
    public virtual IExchangeTap? Tap => null;

    /// <param name="record">The file to write; null for none.</param>
    /// <param name="replay">The file to answer from; null for none.</param>
    /// <param name="mayGoOn">An existing recording may be added to.</param>
    /// <exception cref="FaultException">The file cannot be read or written, is no recording, or holds one already.</exception>
    public static async Task<Tape> OpenAsync(string? record, string? replay, bool mayGoOn, CancellationToken cancellationToken)
    {
        // Of all settings, also those that the command line sets aside: what a secret opens is the same whatever this run uses.
        var redaction = new Redaction(SettingsReader.SecretsOf(SettingsReader.FromEnvironment()));
        if (record is not null)
        {
            return new RecordTape(record, await RecordingFile.OpenAsync(record, mayGoOn, cancellationToken), redaction);
        }
        return replay is null ? new NoTape() : await ReplayTape.OpenAsync(replay, redaction, cancellationToken);
    }

    /// <summary>Once the run stands: what became of the recording.</summary>
    public virtual void Tell()
    {
        // nothing to tell of
    }

    public abstract ValueTask DisposeAsync();

    private static string Exchanges(int count) => $"{count} exchange{(count == 1 ? "" : "s")}";

    private sealed class NoTape : Tape
    {
        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class RecordTape(string path, FileStream file, Redaction redaction) : Tape
    {
        private readonly RecordingWriter _writer = new(file, path);

        public override IExchangeTap Tap => new Recorder(_writer, redaction);

        public override void Tell() => Console.Error.WriteLine($"recorded {Exchanges(_writer.Count)} in {path}");

        public override async ValueTask DisposeAsync()
        {
            _writer.Dispose();
            await file.DisposeAsync();
        }
    }

    private sealed class ReplayTape(string path, ReplayIndex index, Redaction redaction) : Tape
    {
        public override IExchangeTap Tap => new Replayer(index, redaction, path);

        public static async Task<Tape> OpenAsync(string path, Redaction redaction, CancellationToken cancellationToken)
        {
            var recorded = await RecordingFile.ReadAsync(path, cancellationToken);
            Console.Error.WriteLine($"replays {path}, {Exchanges(recorded.All.Count)}: no model and no tool outside of the program is called");
            if (recorded.IsCutOff)
            {
                Console.Error.WriteLine("warning: its last line is not whole and is left out; the program that wrote it was killed");
            }
            return new ReplayTape(path, new ReplayIndex(recorded.All), redaction);
        }

        public override void Tell() => Console.Error.WriteLine($"replayed {Exchanges(index.Used)} of {path}, {index.Count - index.Used} not used");

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
