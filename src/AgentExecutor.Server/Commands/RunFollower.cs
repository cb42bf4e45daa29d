using System.Runtime.InteropServices;
using AgentExecutor.Core.Runs;
using AgentExecutor.Server.Commands.Recordings;
using AgentExecutor.Server.View;

namespace AgentExecutor.Server.Commands;

/// <summary>How a run is shown.</summary>
/// <param name="Title">What it is called.</param>
/// <param name="JsonLines">Events as JSON lines on standard output.</param>
/// <param name="OutDirectory">Where files that the agents wrote are saved.</param>
/// <param name="DataDir">The data directory where the command line named one: the command that resumes must name it too.</param>
internal sealed record FollowOptions(string Title, bool JsonLines, string? OutDirectory, string? DataDir)
{
    /// <summary>What the command that resumes must say of a recording, with a space before it; empty for nothing.</summary>
    public string Recording { get; init; } = "";

    /// <summary>The command that goes on with a thread.</summary>
    public string ResumeCommand(string threadId) => $"agent-executor resume {threadId}{(DataDir is null ? "" : $" --data-dir {DataDir}")}{Recording}";
}

/// <summary>
/// Runs something and shows its events until it ends. The first Ctrl-C or SIGTERM stops it at its next checkpoint, within the grace; the
/// second at once.
/// </summary>
internal static class RunFollower
{
    public static async Task<int> FollowAsync(App app, string threadId, FollowOptions options, Func<RunSignals, Task<RunOutcome>> run, Tape tape)
    {
        using var threadLock = app.Keeper is null ? ThreadLock.Take(app.Settings.DataDir, threadId) : null;
        using var stopKeeping = new CancellationTokenSource();
        var keeping = app.Keeper?.RunAsync(stopKeeping.Token) ?? Task.CompletedTask;
        using var giveBack = new CancellationTokenSource();
        using var abandon = new CancellationTokenSource();
        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            if (giveBack.IsCancellationRequested)
            {
                abandon.Cancel();
                return;
            }
            giveBack.Cancel();
            abandon.CancelAfter(TimeSpan.FromSeconds(app.Settings.GraceSeconds));
        }
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        var signals = new RunSignals(giveBack.Token, abandon.Token);
        try
        {
            var outcome = await ShowAsync(app, threadId, options, () => run(signals), giveBack.Token);
            tape.Tell();
            return RunReport.Write(outcome, options);
        }
        finally
        {
            await stopKeeping.CancelAsync();
            await keeping;
        }
    }

    private static async Task<RunOutcome> ShowAsync(
        App app, string threadId, FollowOptions options, Func<Task<RunOutcome>> run, CancellationToken stopping)
    {
        using var over = new CancellationTokenSource();
        var events = app.Events.WatchAsync(threadId, over.Token);
        async Task<RunOutcome> RunAndCloseAsync()
        {
            try
            {
                return await run();
            }
            finally
            {
                await over.CancelAsync();
            }
        }
        async Task<RunOutcome> FollowAsync(IRunView view)
        {
            using var notice = stopping.Register(() => view.Notice("stopping at the next checkpoint; once more to stop at once"));
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
