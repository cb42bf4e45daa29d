using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Server.Commands.Submitting;

/// <summary>Tells how a job that ran elsewhere came out: the answer on standard output, the rest on standard error.</summary>
internal static class JobReport
{
    /// <param name="isSilent">Standard output holds something else, and not the answer.</param>
    public static int Write(string threadId, JobEnd end, bool isSilent = false)
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
            isSilent);
    }
}
