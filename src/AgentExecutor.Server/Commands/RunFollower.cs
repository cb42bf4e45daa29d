using System.Runtime.InteropServices;
using AgentExecutor.Core.Threads;
using AgentExecutor.Server.Commands.Recordings;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.Composition;
using AgentExecutor.Server.Locks;
using AgentExecutor.Server.View;

namespace AgentExecutor.Server.Commands;

/// <summary>
/// Executes a run and shows its events until it ends. The first Ctrl-C or SIGTERM stops the run at its next checkpoint, within the grace
/// period; the second stops it at once.
/// </summary>
internal static class RunFollower
{
    public static async Task<int> FollowAsync(
        CommandServices app,
        string threadId,
        DisplayOptions options,
        Func<RunSignals, Task<RunOutcome>> run,
        RunRecording recorded
    )
    {
        using var threadLock = app.Keeper is null ? ThreadLock.Take(app.Settings.DataDir, threadId) : null;
        using var stopKeeping = new CancellationTokenSource();
        var keeping = app.Keeper?.RunAsync(stopKeeping.Token) ?? Task.CompletedTask;
        using var stopAtCheckpoint = new CancellationTokenSource();
        using var stopNow = new CancellationTokenSource();
        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            if (stopAtCheckpoint.IsCancellationRequested)
            {
                stopNow.Cancel();
                return;
            }
            stopAtCheckpoint.Cancel();
            stopNow.CancelAfter(TimeSpan.FromSeconds(app.Settings.GraceSeconds));
        }
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        var signals = new RunSignals(stopAtCheckpoint.Token, stopNow.Token);
        try
        {
            var outcome = await ShowAsync(app, threadId, options, () => run(signals), stopAtCheckpoint.Token);
            recorded.Report();
            return RunReport.Write(outcome, options);
        }
        finally
        {
            await stopKeeping.CancelAsync();
            await keeping;
        }
    }

    private static async Task<RunOutcome> ShowAsync(
        CommandServices app,
        string threadId,
        DisplayOptions options,
        Func<Task<RunOutcome>> run,
        CancellationToken stopping
    )
    {
        using var ended = new CancellationTokenSource();
        var events = app.Events.WatchAsync(threadId, ended.Token);
        async Task<RunOutcome> RunAndCloseAsync()
        {
            try
            {
                return await run();
            }
            finally
            {
                await ended.CancelAsync();
            }
        }
        async Task<RunOutcome> FollowAsync(IRunView view)
        {
            using var notice = stopping.Register(() => view.Notice("stopping at the next checkpoint; press Ctrl-C again to stop at once"));
            var running = RunAndCloseAsync();
            await foreach (var envelope in events)
            {
                view.Show(envelope);
            }
            return await running;
        }
        return options.JsonLines
            ? await Screen.ShowAsync(new JsonLinesView(Console.OpenStandardOutput()), FollowAsync)
            : await Screen.ShowAsync(options.Title, FollowAsync);
    }
}
