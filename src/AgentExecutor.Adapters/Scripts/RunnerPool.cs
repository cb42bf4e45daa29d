using System.Collections.Concurrent;
using AgentExecutor.Adapters.Sandbox;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>
/// The processes that run scripts. A process that has executed a call is kept for the next call of the same script of the same definition.
/// <list type="bullet">
/// <item>A process belongs to one <see cref="RunnerKey"/>, and executes one call at a time.</item>
/// <item>There are at most <see cref="ScriptToolSettings.MaxRunners"/> processes. A call for which there is none takes the place of the
/// one that was not used for longest, or waits until a call ends.</item>
/// <item>A process without calls for <see cref="ScriptToolSettings.IdleSeconds"/> is ended.</item>
/// </list>
/// </summary>
internal sealed class RunnerPool : IAsyncDisposable
{
    private readonly ISandbox _sandbox;
    private readonly ScriptToolSettings _settings;
    private readonly PythonCode _code;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _places;
    private readonly CancellationTokenSource _closing = new();
    private readonly ConcurrentDictionary<Task, byte> _background = new();
    private readonly ITimer _timer;
    private readonly Lock _lock = new();

    /// <summary>The processes that wait for a call, the one that was used last at the end.</summary>
    private readonly LinkedList<IdleRunner> _idle = [];

    private int _busy;

    public RunnerPool(ISandbox sandbox, ScriptToolSettings settings, PythonCode code, TimeProvider time)
    {
        (_sandbox, _settings, _code, _time) = (sandbox, settings, code, time);
        _places = new SemaphoreSlim(settings.MaxRunners);
        var interval = TimeSpan.FromSeconds(Math.Clamp(settings.IdleSeconds / 4, 0.1, 15));
        _timer = time.CreateTimer(_ => EndIdle(), null, interval, interval);
    }

    /// <summary>The number of processes that execute a call.</summary>
    public int BusyCount
    {
        get
        {
            lock (_lock)
            {
                return _busy;
            }
        }
    }

    /// <summary>The number of processes that wait for a call.</summary>
    public int IdleCount
    {
        get
        {
            lock (_lock)
            {
                return _idle.Count;
            }
        }
    }

    /// <summary>Executes a call. If it is cancelled or fails, its process is ended.</summary>
    /// <exception cref="RunnerException">The process has ended or cannot be understood.</exception>
    /// <exception cref="Core.FaultException">The sandbox cannot be used.</exception>
    public async Task<ScriptOutcome> CallAsync(RunnerKey key, ScriptSource script, ScriptCall call, CancellationToken cancellationToken)
    {
        await _places.WaitAsync(cancellationToken);
        IScriptRunner? runner = null;
        var isKept = false;
        try
        {
            runner = Take(key) ?? await StartAsync(script, cancellationToken);
            var outcome = await runner.CallAsync(call, cancellationToken);
            isKept = runner.IsReusable && !runner.HasEnded;
            return outcome;
        }
        finally
        {
            Release(key, script, runner, isKept);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _timer.DisposeAsync();
        lock (_lock)
        {
            foreach (var idle in _idle)
            {
                End(idle.Runner);
            }
            _idle.Clear();
        }
        await Task.WhenAll(_background.Keys);
        _places.Dispose();
        _closing.Dispose();
    }

    private async Task<IScriptRunner> StartAsync(ScriptSource script, CancellationToken cancellationToken) =>
        script.Language == ScriptLanguage.Python
            ? await PythonRunner.StartAsync(_sandbox, script, _settings, _code, cancellationToken)
            : await ProgramRunner.StartAsync(_sandbox, script, _settings, _time, cancellationToken);

    /// <summary>
    /// Takes a waiting process of the key. If there is none, returns null, and makes room for a process that the caller starts.
    /// </summary>
    private IScriptRunner? Take(RunnerKey key)
    {
        lock (_lock)
        {
            _busy++;
            var node = _idle.Last;
            while (node is not null)
            {
                var earlier = node.Previous;
                if (node.Value.Runner.HasEnded)
                {
                    Remove(node);
                }
                else if (node.Value.Key == key)
                {
                    _idle.Remove(node);
                    return node.Value.Runner;
                }
                node = earlier;
            }
            while (_busy + _idle.Count > _settings.MaxRunners && _idle.First is { } oldest)
            {
                Remove(oldest);
            }
            return null;
        }
    }

    private void Release(RunnerKey key, ScriptSource script, IScriptRunner? runner, bool isKept)
    {
        lock (_lock)
        {
            _busy--;
            if (isKept && !_closing.IsCancellationRequested)
            {
                _idle.AddLast(new IdleRunner(key, runner!, _time.GetTimestamp()));
            }
            else if (runner is not null)
            {
                End(runner);
            }
        }
        _places.Release();
        if (runner is not null && !isKept && script.Language != ScriptLanguage.Python)
        {
            InBackground(PrepareAsync(key, script));
        }
    }

    /// <summary>Starts a process for the next call of a script whose processes execute only one call.</summary>
    private async Task PrepareAsync(RunnerKey key, ScriptSource script)
    {
        lock (_lock)
        {
            if (_busy + _idle.Count >= _settings.MaxRunners || _closing.IsCancellationRequested)
            {
                return;
            }
        }
        try
        {
            var runner = await StartAsync(script, _closing.Token);
            lock (_lock)
            {
                if (_closing.IsCancellationRequested || _busy + _idle.Count >= _settings.MaxRunners)
                {
                    End(runner);
                }
                else
                {
                    _idle.AddLast(new IdleRunner(key, runner, _time.GetTimestamp()));
                }
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or RunnerException or Core.FaultException or IOException)
        {
            // The next call starts its process itself, and reports what prevents that.
        }
    }

    private void EndIdle()
    {
        lock (_lock)
        {
            while (_idle.First is { } oldest && _time.GetElapsedTime(oldest.Value.Since).TotalSeconds >= _settings.IdleSeconds)
            {
                Remove(oldest);
            }
        }
    }

    private void Remove(LinkedListNode<IdleRunner> node)
    {
        _idle.Remove(node);
        End(node.Value.Runner);
    }

    private void End(IScriptRunner runner) => InBackground(runner.DisposeAsync().AsTask());

    /// <summary>Keeps a task until it has completed, so that disposing the pool waits for it.</summary>
    private void InBackground(Task task)
    {
        _background.TryAdd(task, 0);
        task.ContinueWith(
            ended => _background.TryRemove(ended, out _),
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default
        );
    }

    private sealed record IdleRunner(RunnerKey Key, IScriptRunner Runner, long Since);
}

/// <summary>Who may use a process: calls of one tool of one definition.</summary>
/// <param name="DefinitionHash">The hash of the definition, which also changes with its version.</param>
/// <param name="Owner">The owner of the thread; empty where threads have no owners.</param>
/// <param name="ScriptHash">The hash of the script and its settings.</param>
internal readonly record struct RunnerKey(string DefinitionHash, string Owner, string ScriptHash);
