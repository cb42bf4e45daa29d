using System.Diagnostics;
using System.Globalization;
using AgentExecutor.Adapters.Sandbox.Linux;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>
/// A program in the sandbox. With a process namespace, killing its first process kills all others. Without one, all processes of the
/// program are in the process group of the first one, which they cannot leave.
/// </summary>
internal sealed class LinuxSandboxedProcess : SandboxedProcess
{
    private const int DoNotBlock = 1;

    /// <summary>The time that killed processes have to disappear. Only a process in an uninterruptible system call needs longer.</summary>
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan EndPoll = TimeSpan.FromMilliseconds(5);

    private readonly Process _process;
    private readonly int _id;
    private readonly SandboxLevel _level;
    private readonly Func<Task> _release;
    private readonly TimeProvider _time;
    private int _isDisposed;

    /// <param name="process">The process, which is ready.</param>
    /// <param name="level">Its isolation.</param>
    /// <param name="release">Gives back what the program used, when all its processes have ended.</param>
    /// <param name="time">The source of time.</param>
    public LinuxSandboxedProcess(Process process, SandboxLevel level, Func<Task> release, TimeProvider time)
    {
        (_process, _id, _level, _release, _time) = (process, process.Id, level, release, time);
        StandardInput = process.StandardInput.BaseStream;
        StandardOutput = process.StandardOutput.BaseStream;
        StandardError = process.StandardError.BaseStream;
        Exit = WaitAsync();
    }

    public override Stream StandardInput { get; }

    public override Stream StandardOutput { get; }

    public override Stream StandardError { get; }

    public override Task<int> Exit { get; }

    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
        {
            return;
        }
        Kill();
        try
        {
            await Exit.WaitAsync(EndLimit, _time);
        }
        catch (TimeoutException)
        {
            _process.Kill();
            await Exit;
        }
        await WaitForGroupAsync();
        _process.Dispose();
        await _release();
    }

    private async Task<int> WaitAsync()
    {
        await _process.WaitForExitAsync(CancellationToken.None);
        // What the program has left behind ends with it.
        KillGroup();
        return _process.ExitCode;
    }

    private void Kill()
    {
        if (Exit.IsCompleted)
        {
            return;
        }
        if (_level == SandboxLevel.Namespaces && FirstOfNamespace() is { } first)
        {
            // Then bubblewrap ends by itself, after all processes of the namespace have ended.
            _ = Libc.Kill(first, Libc.SignalKill);
            return;
        }
        KillGroup();
        if (_level == SandboxLevel.Namespaces)
        {
            _process.Kill();
        }
    }

    private void KillGroup()
    {
        if (_level != SandboxLevel.Namespaces)
        {
            _ = Libc.Kill(-_id, Libc.SignalKill);
        }
    }

    /// <summary>The child of bubblewrap, which is the first process of the namespace.</summary>
    private int? FirstOfNamespace()
    {
        try
        {
            var id = _id.ToString(CultureInfo.InvariantCulture);
            var children = File.ReadAllText($"/proc/{id}/task/{id}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return children.Length > 0 ? int.Parse(children[0], CultureInfo.InvariantCulture) : null;
        }
        catch (IOException)
        {
            return null; // it has ended, or the kernel does not have this file
        }
    }

    /// <summary>
    /// Waits until the kernel has removed all processes of the group. Where the service is the first process of a container, those whose
    /// parent has ended are its children, and it must collect them.
    /// </summary>
    private async Task WaitForGroupAsync()
    {
        if (_level == SandboxLevel.Namespaces)
        {
            return;
        }
        var start = _time.GetTimestamp();
        while (Libc.Kill(-_id, 0) == 0 && _time.GetElapsedTime(start) < EndLimit)
        {
            Collect();
            await Task.Delay(EndPoll, _time);
        }
    }

    private unsafe void Collect()
    {
        while (Libc.Wait(-_id, null, DoNotBlock) > 0) { }
    }
}
