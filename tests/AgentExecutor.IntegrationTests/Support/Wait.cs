using System.Diagnostics;
using System.Globalization;

namespace AgentExecutor.IntegrationTests.Support;

/// <summary>Waits for conditions that nothing signals.</summary>
internal static class Wait
{
    /// <summary>Returns when the condition holds. The test fails if it does not hold within the limit.</summary>
    /// <param name="condition">Is evaluated repeatedly.</param>
    /// <param name="state">Describes what is true instead, for the message of the failed test.</param>
    /// <param name="seconds">The limit. It is generous, because other tests and builds may load the machine.</param>
    public static async Task UntilAsync(Func<Task<bool>> condition, Func<Task<string>>? state = null, double seconds = 60)
    {
        var watch = Stopwatch.StartNew();
        while (!await condition())
        {
            if (watch.Elapsed.TotalSeconds > seconds)
            {
                var limit = seconds.ToString(CultureInfo.InvariantCulture);
                Assert.Fail($"the condition did not hold within {limit} s{(state is null ? "" : ": " + await state())}");
            }
            await Task.Delay(TimeSpan.FromMilliseconds(15), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }

    /// <inheritdoc cref="UntilAsync(Func{Task{bool}}, Func{Task{string}}?, double)"/>
    public static Task UntilAsync(Func<bool> condition, Func<string>? state = null, double seconds = 60) =>
        UntilAsync(() => Task.FromResult(condition()), state is null ? null : () => Task.FromResult(state()), seconds);
}
