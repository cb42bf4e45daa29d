using System.Text.Json;
using AgentExecutor.Adapters.Sandbox;
using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>
/// The modules of the Python runner as code that Python has compiled, so that not every process of a script compiles them. A process of its
/// own compiles them, which runs no script, because a script could change what its process answers.
/// </summary>
internal sealed class PythonCode(ISandbox sandbox, ScriptToolSettings settings) : IAsyncDisposable
{
    private const int MaxBytes = 8 * 1024 * 1024;

    private readonly CancellationTokenSource _closing = new();
    private readonly Lock _lock = new();
    private Task<JsonElement?>? _compiling;

    /// <summary>
    /// Returns the code as the runner reads it; null until it is compiled. The first use starts that, and nothing waits for it.
    /// </summary>
    public JsonElement? Get()
    {
        lock (_lock)
        {
            _compiling ??= CompileAsync(_closing.Token);
            return _compiling.IsCompletedSuccessfully ? _compiling.Result : null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        if (_compiling is { } compiling)
        {
            await compiling;
        }
        _closing.Dispose();
    }

    private async Task<JsonElement?> CompileAsync(CancellationToken cancellationToken)
    {
        try
        {
            var request = new SandboxRequest(settings.Python, ["-I", "-c", RunnerTexts.PythonCompile]);
            await using var process = await sandbox.StartAsync(request, cancellationToken);
            await Frames.WriteAsync(process.StandardInput, RunnerTexts.PythonModules, cancellationToken);
            return await Frames.ReadAsync(process.StandardOutput, MaxBytes, cancellationToken);
        }
        catch (Exception exception) when (exception is FaultException or RunnerException or IOException or OperationCanceledException)
        {
            return null; // the processes of scripts compile the modules themselves, and report what is wrong with Python
        }
    }
}
