namespace AgentExecutor.Server.Commands.Reports;

/// <summary>The exit codes of the program, as documented in docs/command-line.md.</summary>
public static class ExitCode
{
    /// <summary>The command succeeded; if it executed a run, the run completed.</summary>
    public const int Success = 0;

    /// <summary>The run failed.</summary>
    public const int Failed = 1;

    /// <summary>The command, the definition, the input or a setting is invalid; nothing was executed.</summary>
    public const int Usage = 2;

    /// <summary>The run is interrupted and waits for an answer.</summary>
    public const int Interrupted = 3;

    /// <summary>The run was cancelled.</summary>
    public const int Cancelled = 4;

    /// <summary>The store or another part of the environment is not available.</summary>
    public const int Unavailable = 5;

    /// <summary>An internal error of the program.</summary>
    public const int Internal = 70;

    /// <summary>Ctrl-C or SIGTERM stopped the run at a checkpoint, or ended 'watch', in which case the run continues.</summary>
    public const int Stopped = 130;
}
