using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using AgentExecutor.Server.View;

namespace AgentExecutor.Server.Commands.Submitting;

/// <summary>Tells how a job that ran elsewhere came out: the answer on standard output, the rest on standard error.</summary>
internal static class JobReport
{
    public static int Write(string jobId, JobEnd end)
    {
        Console.Error.WriteLine($"thread {jobId} {end.Status.ToString().ToLowerInvariant()}");
        switch (end.Status)
        {
            case RunStatus.Completed:
                var output = end.Data.Property("result")?.TextProperty("output") ?? "";
                Console.WriteLine(Console.IsOutputRedirected ? output : EventText.Safe(output));
                return ExitCode.Success;
            case RunStatus.Failed:
                var error = end.Data.Property("error");
                Console.Error.WriteLine($"error: {EventText.Safe(error?.TextProperty("message") ?? "it failed")} [{error?.TextProperty("code")}]");
                CommandErrors.WriteHint(error?.TextProperty("hint"));
                return ExitCode.Failed;
            case RunStatus.Interrupted:
                Console.Error.WriteLine($"waits for an answer: {(end.Data.Property("interrupts") is { } asked ? EventText.Safe(JsonBytes.Compact(asked)) : "")}");
                Console.Error.WriteLine($"  answer it with: agent-executor resume {jobId} --answer ANSWER, where the store is at hand; or POST /threads/{jobId}/resume to the service");
                return ExitCode.Interrupted;
            default:
                return ExitCode.Cancelled;
        }
    }
}
