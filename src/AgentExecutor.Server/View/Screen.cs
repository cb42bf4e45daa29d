using Spectre.Console;

namespace AgentExecutor.Server.View;

/// <summary>Shows a run in the view for the kind of output, and redraws it a few times per second.</summary>
internal static class Screen
{
    private static readonly TimeSpan FrameTime = TimeSpan.FromMilliseconds(80);

    /// <summary>The view exists until <paramref name="follow"/> has finished, and can be used from any thread.</summary>
    public static async Task<T> ShowAsync<T>(string title, Func<IRunView, Task<T>> follow)
    {
        if (Console.IsOutputRedirected || Console.IsErrorRedirected || !AnsiConsole.Profile.Capabilities.Ansi)
        {
            return await ShowAsync(new PlainView(Console.Error), follow);
        }
        return await AnsiConsole
            .Live(new Text(""))
            .Overflow(VerticalOverflow.Crop)
            .Cropping(VerticalOverflowCropping.Top)
            .StartAsync(display => ShowAsync(new LiveView(display, title), follow));
    }

    public static async Task<T> ShowAsync<T>(IRunView view, Func<IRunView, Task<T>> follow)
    {
        var shared = new SharedView(view);
        using var ended = new CancellationTokenSource();
        var frames = DrawFramesAsync(shared, ended.Token);
        try
        {
            return await follow(shared);
        }
        finally
        {
            await ended.CancelAsync();
            await frames;
            shared.Refresh();
        }
    }

    private static async Task DrawFramesAsync(SharedView view, CancellationToken ended)
    {
        using var timer = new PeriodicTimer(FrameTime, TimeProvider.System);
        try
        {
            while (await timer.WaitForNextTickAsync(ended))
            {
                view.Refresh();
            }
        }
        catch (OperationCanceledException)
        {
            // the run has ended
        }
    }
}
