using System.Diagnostics;

namespace AgentExecutor.Tests;

/// <summary>Polls for a condition that no event reports, up to the default timeout.</summary>
public static class Eventually
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    public static async Task True(Func<Task<bool>> condition)
    {
        var watch = Stopwatch.StartNew();
        while (!await condition())
        {
            Assert.True(watch.Elapsed < Limit, $"the condition did not hold within {Limit.TotalSeconds} s");
            await Task.Delay(2, TestContext.Current.CancellationToken);
        }
    }
}
