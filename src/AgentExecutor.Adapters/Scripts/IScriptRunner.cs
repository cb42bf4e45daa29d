namespace AgentExecutor.Adapters.Scripts;

/// <summary>A process that executes calls of one script, one at a time. Disposing it ends the process.</summary>
internal interface IScriptRunner : IAsyncDisposable
{
    /// <summary>True if the process can execute another call.</summary>
    bool IsReusable { get; }

    /// <summary>True if the process has ended.</summary>
    bool HasEnded { get; }

    /// <summary>Executes a call. If it is cancelled or fails, the runner can only be disposed.</summary>
    /// <exception cref="RunnerException">The process has ended or cannot be understood.</exception>
    Task<ScriptOutcome> CallAsync(ScriptCall call, CancellationToken cancellationToken);
}
