using Spectre.Console;

namespace AgentExecutor.Server.View;

/// <summary>Shows a run in the view that suits where the program writes to, and draws it a few times a second.</summary>
internal static class Screen
{
    private static readonly TimeSpan FrameTime = TimeSpan.FromMilliseconds(80);

    /// <summary>The view is there until <paramref name="follow"/> is done, and may be used from any thread.</summary>
    public static async Task<T> ShowAsync<T>(string title, Func<IRunView, Task<T>> follow)
    {
        if (Console.IsOutputRedirected || Console.IsErrorRedirected || !AnsiConsole.Profile.Capabilities.Ansi)
        {
            return await ShowAsync(new PlainView(Console.Error), follow);
        }
        return await AnsiConsole.Live(new Text("")).Overflow(VerticalOverflow.Crop).Cropping(VerticalOverflowCropping.Top)
            .StartAsync(display => ShowAsync(new LiveView(display, title), follow));
    }

    public static async Task<T> ShowAsync<T>(IRunView view, Func<IRunView, Task<T>> follow)
    {
        var shared = new SharedView(view);
        using var over = new CancellationTokenSource();
        var frames = DrawFramesAsync(shared, over.Token);
        try
        {
            return await follow(shared);
        }
        finally
        {
            await over.CancelAsync();
            await frames;
            shared.Refresh();
        }
    }

    private static async Task DrawFramesAsync(SharedView view, CancellationToken over)
    {
        using var timer = new PeriodicTimer(FrameTime, TimeProvider.System);
        try
        {
            while (await timer.WaitForNextTickAsync(over))
            {
                view.Refresh();
            }
        }
        catch (OperationCanceledException)
        {
            // the run is over
        }
    }
}
