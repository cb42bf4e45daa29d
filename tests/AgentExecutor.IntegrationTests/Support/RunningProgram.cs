using System.Diagnostics;

namespace AgentExecutor.IntegrationTests.Support;

/// <summary>A running command.</summary>
public sealed class RunningProgram : IDisposable
{
    private readonly Process _process;
    private readonly Task<string> _error;
    private readonly System.Text.StringBuilder _errorSoFar = new();
    private readonly List<string> _lines = [];
    private readonly System.Collections.Concurrent.ConcurrentQueue<string> _drained = new();

    public RunningProgram(Process process)
    {
        _process = process;
        _error = ReadErrorAsync();
    }

    public int Id => _process.Id;

    /// <summary>The next line of standard output, or null at its end.</summary>
    public async Task<string?> ReadLineAsync()
    {
        var line = await _process
            .StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken)
            .AsTask()
            .WaitAsync(AgentExecutorProgram.Limit);
        if (line is not null)
        {
            _lines.Add(line);
        }
        return line;
    }

    /// <summary>Sends a signal to the process, such as <c>STOP</c>.</summary>
    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", ["-s", signal, _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>The lines of standard output so far. Requires <see cref="Drain"/>.</summary>
    public IReadOnlyCollection<string> Lines => _drained;

    /// <summary>Reads standard output in the background, because a program whose pipe is full blocks.</summary>
    public void Drain()
    {
        _process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is not null)
            {
                _drained.Enqueue(line.Data);
            }
        };
        _process.BeginOutputReadLine();
    }

    /// <summary>Waits until standard error contains the text.</summary>
    public Task UntilErrorAsync(string text) =>
        Wait.UntilAsync(() =>
        {
            lock (_errorSoFar)
            {
                return Task.FromResult(_errorSoFar.ToString().Contains(text, StringComparison.Ordinal));
            }
        });

    private async Task<string> ReadErrorAsync()
    {
        var buffer = new char[4096];
        int count;
        while ((count = await _process.StandardError.ReadAsync(buffer)) > 0)
        {
            lock (_errorSoFar)
            {
                _errorSoFar.Append(buffer, 0, count);
            }
        }
        return _errorSoFar.ToString();
    }

    /// <summary>Kills the process with signal 9.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    public async Task<ProgramResult> WaitAsync(TimeSpan? atMost = null)
    {
        var limit = atMost ?? AgentExecutorProgram.Limit;
        var rest = await _process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(limit);
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(limit);
        return new ProgramResult(_process.ExitCode, string.Concat(_lines.Select(line => line + "\n")) + rest, await _error);
    }

    /// <summary>Waits until the process has ended. Requires <see cref="Drain"/>.</summary>
    public async Task<ProgramResult> EndAsync()
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(AgentExecutorProgram.Limit);
        return new ProgramResult(_process.ExitCode, string.Join('\n', _drained), await _error);
    }

    /// <summary>Sends SIGTERM and waits until the process has ended.</summary>
    public async Task StopAsync()
    {
        await SignalAsync("TERM");
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(AgentExecutorProgram.Limit);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }
        _process.Dispose();
    }
}
