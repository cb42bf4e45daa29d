using AgentExecutor.Core.Runs;
using AgentExecutor.Server.Commands.Remote;

namespace AgentExecutor.Server.Commands.Reports;

/// <summary>The commands that continue a run that has stopped.</summary>
/// <param name="Answer">The command that answers an open question.</param>
/// <param name="Resume">The command that resumes a stopped or failed thread.</param>
internal sealed record NextSteps(Func<InterruptRequest, string> Answer, string Resume)
{
    /// <summary>The commands for a thread in a store that this machine can open.</summary>
    public static NextSteps Here(RunEnding ending, string resume) => new(it => $"{resume} --answer {IdOf(ending, it)}ANSWER", resume);

    /// <summary>The commands for a thread of a service.</summary>
    public static NextSteps AtService(RunEnding ending, Uri? service)
    {
        var (resume, to) = (
            $"agent-executor resume {ending.ThreadId}",
            $"--to {(service is null ? "http://HOST:PORT" : ServiceResponses.Name(service))}"
        );
        return new NextSteps(it => $"answer it with: {resume} --answer {IdOf(ending, it)}ANSWER {to}", $"{resume} {to}");
    }

    private static string IdOf(RunEnding ending, InterruptRequest interrupt) => ending.Interrupts.Length == 1 ? "" : interrupt.Id + "=";
}
