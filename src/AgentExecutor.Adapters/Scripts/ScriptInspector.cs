using AgentExecutor.Adapters.Sandbox;
using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>
/// Finds out what scripts define, by running each once in the sandbox. Definitions are compiled often and scripts change rarely, so what
/// was found is kept.
/// </summary>
internal sealed class ScriptInspector(ISandbox sandbox, ScriptToolSettings settings, PythonCode code, TimeProvider time) : IDisposable
{
    private const int Capacity = 1024;
    private const int Parallel = 4;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim _turns = new(Parallel);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, ScriptInspection> _known = new(StringComparer.Ordinal);
    private readonly Queue<string> _order = new();

    /// <summary>Returns what is known about a script; null if it was not inspected.</summary>
    public ScriptInspection? Find(ScriptSource script)
    {
        lock (_lock)
        {
            return _known.GetValueOrDefault(script.Hash);
        }
    }

    /// <summary>Inspects a script, unless what it defines is known.</summary>
    public async Task InspectAsync(ScriptSource script, CancellationToken cancellationToken)
    {
        if (Find(script) is { Unavailable: null })
        {
            return;
        }
        await _turns.WaitAsync(cancellationToken);
        try
        {
            if (Find(script) is not { Unavailable: null })
            {
                Keep(script, await RunAsync(script, cancellationToken));
            }
        }
        finally
        {
            _turns.Release();
        }
    }

    public void Dispose() => _turns.Dispose();

    private async Task<ScriptInspection> RunAsync(ScriptSource script, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(Limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            return script.Language == ScriptLanguage.Python
                ? await PythonRunner.InspectAsync(sandbox, script, settings, code, either.Token)
                : await ProgramCheck.InspectAsync(sandbox, script, settings, either.Token);
        }
        catch (FaultException fault)
        {
            return new ScriptInspection { Unavailable = (fault.Message, fault.Hint ?? "see docs/script-tools.md") };
        }
        catch (RunnerException exception)
        {
            return new ScriptInspection { Error = $"the process that loads the script failed: {exception.Message}" };
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new ScriptInspection { Error = $"loading the script took longer than {Limit.TotalSeconds:0} s" };
        }
    }

    private void Keep(ScriptSource script, ScriptInspection inspection)
    {
        lock (_lock)
        {
            if (!_known.ContainsKey(script.Hash))
            {
                _order.Enqueue(script.Hash);
            }
            _known[script.Hash] = inspection;
            while (_order.Count > Capacity)
            {
                _known.Remove(_order.Dequeue());
            }
        }
    }
}
