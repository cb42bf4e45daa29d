using System.Text;
using AgentExecutor.Adapters.Sandbox;

namespace AgentExecutor.Adapters.Mcp;

/// <summary>A server that runs in the sandbox. The end of what it writes to its standard error is kept for error messages.</summary>
internal sealed class McpProcess : IAsyncDisposable
{
    private const int MaxKept = 2_000;

    private readonly SandboxedProcess _process;
    private readonly Task _reading;
    private readonly StringBuilder _errors = new();
    private readonly Lock _gate = new();

    public McpProcess(SandboxedProcess process)
    {
        _process = process;
        _reading = ReadErrorsAsync();
    }

    public Stream Input => _process.StandardInput;

    public Stream Output => _process.StandardOutput;

    /// <summary>Returns the exit code and the last lines of the standard error, or null if the program runs and has written none.</summary>
    public string? Describe()
    {
        lock (_gate)
        {
            var errors = _errors.ToString().Trim();
            var exit = _process.Exit.IsCompletedSuccessfully ? $"the program ended with the exit code {_process.Exit.Result}" : null;
            return errors.Length == 0 ? exit
                : exit is null ? $"it wrote: {errors}"
                : $"{exit} and wrote: {errors}";
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        await _reading;
    }

    private async Task ReadErrorsAsync()
    {
        using var reader = new StreamReader(_process.StandardError, Encoding.UTF8);
        var buffer = new char[1024];
        try
        {
            int count;
            while ((count = await reader.ReadAsync(buffer)) > 0)
            {
                lock (_gate)
                {
                    _errors.Append(buffer, 0, count);
                    if (_errors.Length > MaxKept)
                    {
                        _errors.Remove(0, _errors.Length - MaxKept);
                    }
                }
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            // The program has ended.
        }
    }
}
