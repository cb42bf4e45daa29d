using System.Collections.Concurrent;
using System.Diagnostics;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>
/// Starts processes from one thread that lives as long as the service. Linux ends a process that asked to end with its parent when the
/// thread that started it ends, and threads of the pool end when they are idle.
/// </summary>
internal sealed class ProcessStarter : IDisposable
{
    private readonly BlockingCollection<Action> _requests = [];
    private readonly Lazy<Thread> _thread;

    public ProcessStarter() => _thread = new Lazy<Thread>(StartThread);

    /// <summary>Starts a process.</summary>
    public Task<Process> StartAsync(ProcessStartInfo start)
    {
        _ = _thread.Value;
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        _requests.Add(() =>
        {
            try
            {
                started.SetResult(Process.Start(start)!);
            }
            catch (Exception exception) // the caller handles it
            {
                started.SetException(exception);
            }
        });
        return started.Task;
    }

    /// <summary>Ends the thread, and with it the processes that it started.</summary>
    public void Dispose()
    {
        _requests.CompleteAdding();
        if (_thread.IsValueCreated)
        {
            _thread.Value.Join();
        }
        _requests.Dispose();
    }

    private Thread StartThread()
    {
        var thread = new Thread(Run) { IsBackground = true, Name = "sandbox starter" };
        thread.Start();
        return thread;
    }

    private void Run()
    {
        foreach (var request in _requests.GetConsumingEnumerable())
        {
            request();
        }
    }
}
