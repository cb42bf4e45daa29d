using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Workers;

/// <summary>The log messages of workers. They use the event ids 1000 to 1099. An id is never reused.</summary>
internal static partial class Log
{
    [LoggerMessage(1000, LogLevel.Information, "Worker {worker} started with {slots} slots and leases of {leaseSeconds} s")]
    public static partial void WorkerStarted(ILogger logger, string worker, int slots, double leaseSeconds);

    [LoggerMessage(
        1001,
        LogLevel.Information,
        "Worker {worker} is shutting down: {runs} runs are returned to the queue at their next checkpoint, within {graceSeconds} s"
    )]
    public static partial void WorkerStopping(ILogger logger, string worker, int runs, double graceSeconds);

    [LoggerMessage(1050, LogLevel.Information, "Nobody answered '{interrupt}' before its deadline. The default answer is used")]
    public static partial void DeadlinePassed(ILogger logger, string job_id, string thread_id, string interrupt);

    [LoggerMessage(1051, LogLevel.Information, "The question '{interrupt}' is announced again, for the {number}. time")]
    public static partial void QuestionEscalated(ILogger logger, string job_id, string thread_id, string interrupt, int number);

    [LoggerMessage(1052, LogLevel.Error, "The interrupt '{interrupt}' is due but cannot be handled: {reason} [{code}]. It is tried again")]
    public static partial void InterruptNotHandled(
        ILogger logger,
        string job_id,
        string thread_id,
        string interrupt,
        string reason,
        string code
    );

    [LoggerMessage(1002, LogLevel.Information, "Worker {worker} stopped")]
    public static partial void WorkerStopped(ILogger logger, string worker);

    [LoggerMessage(1003, LogLevel.Information, "Run claimed, attempt {attempt}")]
    public static partial void RunTaken(ILogger logger, string job_id, string thread_id, string trace_id, int attempt);

    [LoggerMessage(1004, LogLevel.Information, "Run {status} after {supersteps} supersteps and {seconds} s")]
    public static partial void RunEnded(
        ILogger logger,
        string job_id,
        string thread_id,
        string trace_id,
        string status,
        long supersteps,
        double seconds
    );

    [LoggerMessage(1005, LogLevel.Warning, "Run failed: {reason} [{code}]")]
    public static partial void RunFailed(ILogger logger, string job_id, string thread_id, string trace_id, string reason, string code);

    [LoggerMessage(
        1006,
        LogLevel.Warning,
        "The lease of the run was lost because another worker claimed its thread. This worker has stopped the run"
    )]
    public static partial void LeaseLost(ILogger logger, string thread_id, string job_id, string trace_id);

    [LoggerMessage(1007, LogLevel.Warning, "Run rescued because its lease expired (lost workers since its last checkpoint: {crashes})")]
    public static partial void RunRescued(ILogger logger, string job_id, string thread_id, int crashes);

    [LoggerMessage(1008, LogLevel.Warning, "The run was abandoned: {reason} [{code}]. Another worker will claim it when its lease expires")]
    public static partial void RunLeft(ILogger logger, string job_id, string thread_id, string trace_id, string reason, string code);

    [LoggerMessage(
        1009,
        LogLevel.Error,
        "The run was abandoned because of an internal error. Another worker will claim it when its lease expires"
    )]
    public static partial void RunBroken(ILogger logger, Exception exception, string job_id, string thread_id, string trace_id);

    [LoggerMessage(
        1010,
        LogLevel.Information,
        "The janitor deleted {threads} finished threads, {checkpoints} checkpoints and {results} published outcomes"
    )]
    public static partial void SweepCompleted(ILogger logger, int threads, int checkpoints, int results);

    [LoggerMessage(
        1030,
        LogLevel.Warning,
        "The janitor could not clean up the thread: {reason} [{code}]. It continues with others and retries this one in each round"
    )]
    public static partial void ThreadNotCleanedUp(ILogger logger, string thread_id, string reason, string code);

    [LoggerMessage(1031, LogLevel.Information, "The janitor cleaned up the thread after {attempts} failed attempts")]
    public static partial void ThreadCleanedUp(ILogger logger, string thread_id, int attempts);

    [LoggerMessage(1032, LogLevel.Warning, "The janitor did not finish this round: {reason} [{code}]. It tries again in the next round")]
    public static partial void SweepFailed(ILogger logger, string reason, string code);

    [LoggerMessage(
        1033,
        LogLevel.Information,
        "The janitor stopped this round because its lease expired and another process sweeps the store now"
    )]
    public static partial void SweepLeaseLost(ILogger logger);

    [LoggerMessage(
        1034,
        LogLevel.Information,
        "The janitor could not release its lease: {reason}. Another process can sweep when the lease expires, within a minute"
    )]
    public static partial void SweepLeaseNotReleased(ILogger logger, string reason);

    [LoggerMessage(1011, LogLevel.Error, "The background service '{service}' failed and is restarted")]
    public static partial void ServiceFailed(ILogger logger, Exception exception, string service);

    [LoggerMessage(1040, LogLevel.Error, "The loop '{loop}' failed. It is started again in {seconds} s")]
    public static partial void LoopFailed(ILogger logger, Exception exception, string loop, double seconds);

    [LoggerMessage(1020, LogLevel.Warning, "The run was cancelled: its lease expired after a request to cancel it")]
    public static partial void LostRunCancelled(ILogger logger, string job_id, string thread_id);

    [LoggerMessage(
        1021,
        LogLevel.Error,
        "A run whose worker was lost could not be cancelled: {reason} [{code}]. Other runs are not affected, and this one is tried again"
    )]
    public static partial void LostRunNotCancelled(ILogger logger, string job_id, string thread_id, string reason, string code);
}
