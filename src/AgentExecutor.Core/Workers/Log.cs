using Microsoft.Extensions.Logging;

namespace AgentExecutor.Core.Workers;

/// <summary>What workers log. Ids 1000 to 1099 are theirs; none is used again.</summary>
internal static partial class Log
{
    [LoggerMessage(1000, LogLevel.Information, "Worker {worker} takes runs: {slots} slots, leases of {leaseSeconds} s")]
    public static partial void WorkerStarted(ILogger logger, string worker, int slots, double leaseSeconds);

    [LoggerMessage(1001, LogLevel.Information, "Worker {worker} stops: {runs} runs are given back at their next checkpoint, within {graceSeconds} s")]
    public static partial void WorkerStopping(ILogger logger, string worker, int runs, double graceSeconds);

    [LoggerMessage(1002, LogLevel.Information, "Worker {worker} has stopped")]
    public static partial void WorkerStopped(ILogger logger, string worker);

    [LoggerMessage(1003, LogLevel.Information, "Run taken, attempt {attempt}")]
    public static partial void RunTaken(ILogger logger, string job_id, string thread_id, string trace_id, int attempt);

    [LoggerMessage(1004, LogLevel.Information, "Run {status} after {supersteps} supersteps and {seconds} s")]
    public static partial void RunEnded(ILogger logger, string job_id, string thread_id, string trace_id, string status, long supersteps, double seconds);

    [LoggerMessage(1005, LogLevel.Warning, "Run failed: {reason} [{code}]")]
    public static partial void RunFailed(ILogger logger, string job_id, string thread_id, string trace_id, string reason, string code);

    [LoggerMessage(1006, LogLevel.Warning, "Lease lost: another worker has the thread; the run is stopped here and has changed nothing since")]
    public static partial void LeaseLost(ILogger logger, string thread_id, string job_id, string trace_id);

    [LoggerMessage(1007, LogLevel.Warning, "Run rescued: its worker let the lease run out ({crashes} since its last checkpoint)")]
    public static partial void RunRescued(ILogger logger, string job_id, string thread_id, int crashes);

    [LoggerMessage(1008, LogLevel.Warning, "Run left: {reason} [{code}]; its lease will run out, and another worker takes it")]
    public static partial void RunLeft(ILogger logger, string job_id, string thread_id, string trace_id, string reason, string code);

    [LoggerMessage(1009, LogLevel.Error, "Run left: an error of the program's own; its lease will run out, and another worker takes it")]
    public static partial void RunBroken(ILogger logger, Exception exception, string job_id, string thread_id, string trace_id);

    [LoggerMessage(1010, LogLevel.Information, "Janitor: {threads} finished threads deleted, {checkpoints} checkpoints pruned, {results} outcomes dropped")]
    public static partial void Swept(ILogger logger, int threads, int checkpoints, int results);

    [LoggerMessage(1011, LogLevel.Error, "{agent} failed and tries again")]
    public static partial void AgentFailed(ILogger logger, Exception exception, string agent);
}
