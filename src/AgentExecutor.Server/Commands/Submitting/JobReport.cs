using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Server.Commands.Reports;

namespace AgentExecutor.Server.Commands.Submitting;

/// <summary>Reports the result of a job of a service: the answer on standard output, everything else on standard error.</summary>
internal static class JobReport
{
    /// <param name="isSilent">True if standard output is used for something other than the answer.</param>
    /// <param name="service">The HTTP URL of the service, or null.</param>
    public static int Write(string threadId, JobResult end, bool isSilent = false, Uri? service = null)
    {
        var result = end.Data.Property("result");
        return RunReport.Write(
            new RunEnding(threadId, end.Status)
            {
                Answer = result?.TextProperty("output") ?? "",
                Usage = result?.Property("usage") is { } usage ? RunEventReader.ReadUsage(usage) : null,
                Failure = end.Data.Property("error") is { } error ? RunEventReader.ReadFailure(error) : null,
                Interrupts = RunEventReader.ReadInterrupts(end.Data.Property("interrupts")),
            },
            isSilent,
            service
        );
    }
}
