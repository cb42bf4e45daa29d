using AgentExecutor.Core.Execution;

namespace AgentExecutor.Server.Commands;

/// <summary>What a person may do about a run that stands still.</summary>
/// <param name="Answer">Answers one of its questions.</param>
/// <param name="Resume">Goes on with a thread that was stopped or failed.</param>
internal sealed record NextSteps(Func<InterruptRequest, string> Answer, string Resume)
{
    /// <summary>Where the store is at hand.</summary>
    public static NextSteps Here(RunEnding ending, string resume) => new(it => $"{resume} --answer {IdOf(ending, it)}ANSWER", resume);

    /// <summary>Where a service has it.</summary>
    public static NextSteps AtService(RunEnding ending)
    {
        var (resume, post) = ($"agent-executor resume {ending.ThreadId}", $"POST /threads/{Uri.EscapeDataString(ending.ThreadId)}/resume");
        return new NextSteps(
            it => $"answer it with: {resume} --answer {IdOf(ending, it)}ANSWER, where the store is at hand; or {post} {BodyOf(ending, it)} to the service",
            $"{resume}, where the store is at hand; or {post} to the service");
    }

    private static string IdOf(RunEnding ending, InterruptRequest interrupt) => ending.Interrupts.Length == 1 ? "" : interrupt.Id + "=";

    private static string BodyOf(RunEnding ending, InterruptRequest interrupt) =>
        ending.Interrupts.Length == 1 ? """{"answer": ANSWER}""" : $$$"""{"answers": {"{{{interrupt.Id}}}": ANSWER}}""";
}
