namespace AgentExecutor.Adapters.Sandbox;

/// <summary>
/// A program that runs in the sandbox. When it is disposed, the program, all processes that it started, and its private folder are removed.
/// </summary>
internal abstract class SandboxedProcess : IAsyncDisposable
{
    public abstract Stream StandardInput { get; }

    public abstract Stream StandardOutput { get; }

    public abstract Stream StandardError { get; }

    /// <summary>Completes when the program has ended, with its exit code; 128 and the number of the signal if a signal ended it.</summary>
    public abstract Task<int> Exit { get; }

    public abstract ValueTask DisposeAsync();
}
