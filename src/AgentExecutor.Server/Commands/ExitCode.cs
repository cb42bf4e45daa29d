namespace AgentExecutor.Server.Commands;

/// <summary>How the program ends; documented in docs/command-line.md.</summary>
public static class ExitCode
{
    /// <summary>The command did what it was asked; of a run: it completed.</summary>
    public const int Success = 0;

    /// <summary>The run failed.</summary>
    public const int Failed = 1;

    /// <summary>The command, the definition, the input or a setting is at fault; nothing was run.</summary>
    public const int Usage = 2;

    /// <summary>The run waits for a person's answer.</summary>
    public const int Interrupted = 3;

    /// <summary>The run was cancelled.</summary>
    public const int Cancelled = 4;

    /// <summary>The store or another part of the environment is not available.</summary>
    public const int Unavailable = 5;

    /// <summary>A fault of the program's own.</summary>
    public const int Internal = 70;

    /// <summary>The run was stopped at a checkpoint by Ctrl-C or SIGTERM; of 'watch': it was left so, and the run goes on.</summary>
    public const int Stopped = 130;
}
